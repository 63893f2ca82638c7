/**
 * The proxy against socat, haproxy and nginx, all before the same engine and in turn: `npm run bench:proxy [rounds]`.
 * Needs socat, haproxy, nginx, curl. Prints Markdown; ends with 1 when we are slower than wanted.
 */
import type { ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { Host, repository, until } from '../test/support/host.ts';
import { median, quantile } from './statistics.ts';

const rounds = Number(process.argv[2] ?? 5);
const megabytes = 300;
const sides = [
  'direct',
  'weavets',
  'weavets, intercepted',
  'socat',
  'haproxy tcp',
  'haproxy http',
  'nginx',
] as const;
type Side = (typeof sides)[number];

/** What Go's ReverseProxy takes, as a multiple of direct, and the least share of direct's throughput. */
const wanted = { ping: 4.68, list: 1.68, connections: 3.2, listConnections: 1.68, down: 0.85, up: 0.75 };
type Row = keyof typeof wanted;
const titles: Record<Row, string> = {
  ping: 'GET /_ping, keep-alive',
  list: 'GET containers/json, keep-alive',
  connections: 'GET /_ping, one connection each',
  listConnections: 'GET containers/json, one connection each',
  down: `save of ${megabytes} MB`,
  up: `load of ${megabytes} MB`,
};

const file = `/tmp/bench-proxy-${process.pid}.tar`;
const host = await Host.create();
const children: ChildProcess[] = [];
const missed: string[] = [];
try {
  await run();
} finally {
  for (const child of children) child.kill();
  await host.run(['rm', '-f', file]);
  await host[Symbol.asyncDispose]();
}
for (const what of missed) console.log(`MISSED ${what}`);
process.exitCode = missed.length > 0 ? 1 : 0;

async function run(): Promise<void> {
  const proxyPid = await start();
  for (let n = 0; n < 10; n++) await host.docker('run', '-d', '--name', `c${n}`, 'busybox', 'sleep', '10000');
  const onDemand = 'while :; do [ -e /say ] && rm /say && echo line; sleep 0.1; done';
  await host.docker('run', '-d', '--name', 'talker', 'busybox', 'sh', '-c', onDemand);
  await makeImage();
  // First, while the proxy holds little: what a stream takes would not show in memory that the rest has left.
  await memory(proxyPid);

  const samples = new Map<string, number[]>();
  const add = (row: Row, side: Side, values: number[]) => {
    const key = `${row} ${side}`;
    samples.set(key, [...(samples.get(key) ?? []), ...values]);
  };
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      add('ping', side, await keptAlive(side, '/_ping', 1000));
      add('list', side, await keptAlive(side, '/v1.41/containers/json', 300));
      add('connections', side, await oneEach(side, '/_ping', 500));
      add('listConnections', side, await oneEach(side, '/v1.41/containers/json', 200));
    }
  }
  for (let round = 0; round < 2 * rounds; round++) {
    for (const side of sides) {
      add('down', side, await transfer(side, 'GET', '/v1.41/images/big/get'));
      add('up', side, await transfer(side, 'POST', '/v1.41/images/load'));
    }
  }

  console.log(
    `\n| microseconds p50 / p99 (p50 : direct), MB/s (median of each round's ratio to direct) | ${sides.join(' | ')} |`,
  );
  console.log(`|---|${sides.map(() => '---|').join('')}`);
  for (const row of Object.keys(wanted) as Row[]) {
    const speed = row === 'down' || row === 'up';
    const direct = samples.get(`${row} direct`) ?? [];
    const cells = sides.map((side) => {
      const values = samples.get(`${row} ${side}`) ?? [];
      // Transfers take seconds, in which the machine changes: each is compared with the direct one just before it.
      const ratio = speed
        ? typical(values.map((value, round) => value / (direct[round] ?? Number.NaN)))
        : typical(values) / typical(direct);
      if (side === 'weavets' && (speed ? ratio < wanted[row] : ratio > wanted[row]))
        missed.push(`${titles[row]}: ${ratio.toFixed(2)}, required ${wanted[row]}`);
      const figures = speed ? [typical(values)] : [typical(values), quantile(values, 0.99)];
      return `${figures.map((value) => value.toFixed(0)).join(' / ')} (${ratio.toFixed(2)})`;
    });
    console.log(`| ${titles[row]} | ${cells.join(' | ')} |`);
  }
}

/** Starts every side. @returns the proxy's pid, in the host */
async function start(): Promise<string> {
  await host.run(['mkdir', '-p', '/run/bench']);
  const engine = '/run/docker.sock';
  const proxy = (name: string, ...mode: string[]) => {
    const tsx = `${repository}/node_modules/tsx/dist/esm/index.mjs`;
    const main = `${repository}/bench/proxy-main.ts`;
    const child = host.spawn([
      'node',
      '--import',
      tsx,
      main,
      `unix:///run/bench/${name}.sock`,
      `unix://${engine}`,
      ...mode,
    ]);
    children.push(child);
    child.stderr?.pipe(process.stderr);
    return new Promise<string>((resolve) =>
      child.stdout?.once('data', (text: Buffer) => resolve(`${text}`.trim())),
    );
  };
  const pid = await proxy('weavets');
  await proxy('weavets, intercepted', 'inspect');
  await writeFile(
    host.path('/run/bench/haproxy.cfg'),
    `defaults
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  maxconn 4000
${['tcp', 'http']
  .map(
    (mode) => `listen ${mode}
  mode ${mode}
  bind "unix@/run/bench/haproxy ${mode}.sock"
  server engine unix@${engine}
`,
  )
  .join('')}`,
  );
  await writeFile(
    host.path('/run/bench/nginx.conf'),
    `user root; daemon off; pid /run/bench/nginx.pid; error_log /dev/null; worker_processes 1;
events { worker_connections 4000; }
http {
  access_log off; client_max_body_size 0; client_body_temp_path /run/bench; proxy_temp_path /run/bench;
  upstream engine { server unix:${engine}; keepalive 16; }
  server {
    listen unix:/run/bench/nginx.sock;
    location / {
      proxy_pass http://engine; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_buffering off; proxy_read_timeout 1h; proxy_send_timeout 1h;
    }
  }
}
`,
  );
  children.push(
    host.spawn(['socat', 'UNIX-LISTEN:/run/bench/socat.sock,fork,backlog=1024', `UNIX-CONNECT:${engine}`]),
    host.spawn(['haproxy', '-db', '-f', '/run/bench/haproxy.cfg']),
    host.spawn(['nginx', '-e', '/dev/null', '-c', '/run/bench/nginx.conf']),
  );
  for (const side of sides)
    await until(`${side} answers`, () =>
      ask(side).then(
        () => true,
        () => false,
      ),
    );
  return pid;
}

async function makeImage(): Promise<void> {
  const made = `dd if=/dev/urandom of=/tmp/blob-${process.pid} bs=1M count=${megabytes} status=none &&
    tar -C /tmp -c blob-${process.pid} | docker -H unix:///run/docker.sock import - big >/dev/null &&
    rm /tmp/blob-${process.pid} && docker -H unix:///run/docker.sock save -o ${file} big`;
  const out = await host.shell(made);
  if (out.code !== 0) throw new Error(out.stderr);
}

function endpoint(side: Side): string {
  return side === 'direct' ? '/run/docker.sock' : `/run/bench/${side}.sock`;
}

function open(side: Side): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(host.path(endpoint(side)), () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends one request and waits for the whole answer. */
function exchange(socket: Socket, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const done = (error?: Error) => {
      socket.off('data', more).off('close', closed);
      if (error) reject(error);
      else resolve();
    };
    const more = (bytes: Buffer) => {
      text += bytes.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = /content-length: (\d+)/i.exec(text)?.[1];
      if (end > 0 && (length ? text.length >= end + 4 + Number(length) : text.endsWith('0\r\n\r\n'))) done();
    };
    const closed = () => done(new Error('closed'));
    socket.on('data', more).on('close', closed);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: d\r\n\r\n`);
  });
}

async function ask(side: Side): Promise<void> {
  const socket = await open(side);
  await exchange(socket, '/_ping');
  socket.destroy();
}

/** @returns microseconds of each request */
async function keptAlive(side: Side, path: string, count: number): Promise<number[]> {
  const socket = await open(side);
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    await exchange(socket, path);
    times.push((performance.now() - began) * 1000);
  }
  socket.destroy();
  return times.slice(count / 10);
}

async function oneEach(side: Side, path: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    const socket = await open(side);
    await exchange(socket, path);
    times.push((performance.now() - began) * 1000);
    socket.destroy();
  }
  return times.slice(count / 10);
}

/** @returns MB/s; NaN if a peer gave up, as nginx does at times */
async function transfer(side: Side, method: 'GET' | 'POST', path: string): Promise<number[]> {
  const upload = method === 'POST' ? ['-T', file, '-H', 'Expect:', '-X', 'POST'] : [];
  const curl = [
    'curl',
    '-sS',
    '--fail',
    '-o',
    '/dev/null',
    '-w',
    '%{time_total}',
    '--unix-socket',
    endpoint(side),
  ];
  const out = await host.run([...curl, ...upload, `http://d${path}`]);
  if (out.code === 0) return [megabytes / Number(out.stdout)];
  if (side === 'direct' || side.startsWith('weavets')) throw new Error(`${side}: ${out.stderr}`);
  return [Number.NaN];
}

/** Many idle streams, many requests, many aborts: what they leave. */
async function memory(pid: string): Promise<void> {
  const resident = async () => {
    const status = await readFile(host.path(`/proc/${pid}/status`), 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  };
  const sockets = async () => Number((await host.shell(`ls -l /proc/${pid}/fd | grep -c socket:`)).stdout);
  const say = async (what: string) => console.log(`- ${what}: ${(await resident()).toFixed(0)} MB resident`);
  await keptAlive('weavets', '/_ping', 1000);
  await until('the streams of before are closed', async () => (await sockets()) < 10);
  const [socketsBefore, before] = [await sockets(), await resident()];
  await say('1,000 requests');

  const streams = await Promise.all(Array.from({ length: 1000 }, () => follow('weavets')));
  const each = ((await resident()) - before) * 1.024;
  const ping = median(await keptAlive('weavets', '/_ping', 500));
  await say(
    `1,000 idle logs -f held, ${each.toFixed(0)} kB each; a ping takes ${ping.toFixed(0)} us meanwhile`,
  );
  const lines = Promise.all(
    streams.map((socket) => new Promise((resolve) => socket.once('data', resolve).once('close', resolve))),
  );
  await host.docker('exec', 'talker', 'touch', '/say');
  await lines;
  const told = streams.filter((socket) => !socket.destroyed).length;
  console.log(`- ${told} of them got the line that was written then`);
  if (told !== 1000) missed.push(`1,000 streams: ${told} got the line`);
  for (const socket of streams) socket.destroy();

  for (let n = 1; n <= 10; n++) {
    await keptAlive('weavets', '/_ping', 1000);
    if (n % 3 === 1) await say(`${n * 1000} requests more`);
  }
  for (let n = 0; n < 10; n++) {
    const aborted = await Promise.all(Array.from({ length: 100 }, () => follow('weavets')));
    for (const socket of aborted) socket.destroy();
  }
  await until('no aborted stream leaves a socket', async () => (await sockets()) <= socketsBefore);
  await say('1,000 aborted streams more, and none of their sockets left');
}

/** A stream of logs whose head has come. */
async function follow(side: Side): Promise<Socket> {
  const socket = await open(side);
  socket.write('GET /v1.41/containers/talker/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n');
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve()).once('close', () => reject(new Error('closed')));
  });
  return socket;
}

/** Median of what was measured: a transfer that a peer gave up is not. */
function typical(values: readonly number[]): number {
  return median(values.filter(Number.isFinite));
}
