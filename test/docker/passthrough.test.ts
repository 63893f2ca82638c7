import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { silent } from '../../src/lib/log.ts';
import type { Handler } from '../../src/proxy/intercept/contract.ts';
import { DockerProxy } from '../../src/proxy/proxy.ts';
import { match } from '../../src/proxy/wire/routes.ts';
import { until } from '../support/host.ts';
import { RawClient } from '../support/proxied.ts';
import { useHost } from '../support/use-host.ts';

const ending = '\r\nHost: d\r\n\r\n';

describe('what passes through unchanged', () => {
  // Before the host, whose own end comes after it.
  after(() => proxy.close());
  const host = useHost();
  let proxy: DockerProxy;
  const intercepted: string[] = [];

  before(async () => {
    const pass: Handler = (call) => {
      intercepted.push(`${call.method} ${call.target}`);
      return call.forward();
    };
    proxy = await DockerProxy.start({
      hosts: [`unix://${host.socketPath('proxy')}`],
      engine: `unix://${host.socketPath('engine')}`,
      engineTls: null,
      tls: null,
      allowInsecureTcp: false,
      handlers: { create: pass, start: pass, restart: pass, exec: pass, inspect: pass, inspectExec: pass },
      logger: silent,
    });
    await host.docker(
      'run',
      '-d',
      '--name',
      'long',
      'busybox',
      'sh',
      '-c',
      'echo started; while read l; do echo "<$l>"; done; sleep 1000',
    );
  });
  /** A shell script whose docker talks to the proxy. @returns standard output */
  async function sh(script: string): Promise<string> {
    const env = { DOCKER_HOST: host.proxySocket, DOCKER_BUILDKIT: '0' };
    const out = await host.shell(script, { env });
    assert.equal(out.code, 0, `${script}: ${out.stdout}${out.stderr}`);
    // And without what `script` feeds to a terminal at the end of its own input, if that is echoed.
    return out.stdout.replaceAll('\r', '').replaceAll(/\^[@D][\b]*/g, '');
  }

  const open = (socket: 'weave/weave' | 'docker') =>
    new RawClient(connect({ path: host.path(`/run/${socket}.sock`), allowHalfOpen: true }));

  /** Sockets that the engine has open. */
  async function engineSockets(): Promise<number> {
    const pid = (await readFile(host.path('/run/docker.pid'), 'utf8')).trim();
    const files = host.path(`/proc/${pid}/fd`);
    const links = await Promise.all(
      (await readdir(files)).map((file) => readlink(`${files}/${file}`).catch(() => '')),
    );
    return links.filter((link) => link.startsWith('socket:')).length;
  }

  test('run, with and without a terminal and standard input', async () => {
    assert.equal(await sh('docker run --rm busybox echo out'), 'out\n');
    assert.equal(await sh('echo in | docker run --rm -i busybox cat'), 'in\n');
    assert.equal(
      await sh('docker run --rm busybox sh -c "echo out; echo err >&2; exit 3" 2>/dev/null || echo $?'),
      'out\n3\n',
    );
    assert.match(
      await sh(`script -qec "docker run --rm -it busybox sh -c 'tty; echo hi'" /dev/null </dev/null`),
      /\/dev\/pts\/0\nhi\n/,
    );
  });

  test('half-close: the container sees the end of standard input, and its output still arrives', async () => {
    assert.equal(
      await sh('seq 1 200000 | docker run --rm -i busybox sh -c "sort -n | tail -1; echo done"'),
      '200000\ndone\n',
    );
    assert.equal(await sh('echo in | docker exec -i long sh -c "cat; sleep 0.3; echo late"'), 'in\nlate\n');
  });

  test('attach', async () => {
    await sh(
      'docker run -di --name attached busybox sh -c "read line; echo got \\$line; echo bye" >/dev/null',
    );
    // Wait for the output: the engine ends an attach with its input.
    const attach =
      'f=$(mktemp); { echo one; until grep -q bye $f; do sleep 0.05; done; } | docker attach --sig-proxy=false attached >$f; cat $f; rm $f';
    assert.equal(await sh(attach), 'got one\nbye\n');
  });

  test('exec, with its exit code', async () => {
    assert.equal(await sh('docker exec long echo out; docker exec long false || echo $?'), 'out\n1\n');
    assert.match(await sh(`script -qec "docker exec -it long tty" /dev/null </dev/null`), /\/dev\/pts\/0/);
    assert.equal(
      await sh('docker exec -d long touch /made; until docker exec long ls /made 2>/dev/null; do :; done'),
      '/made\n',
    );
  });

  test('logs -f and events come as they happen', async () => {
    const logs = open('weave/weave').send(`GET /containers/long/logs?follow=1&stdout=1 HTTP/1.1${ending}`);
    await logs.until((text) => text.includes('started\n'));
    logs.socket.destroy();
    // From a time on that is before the container: the engine answers before it listens.
    const since = Math.floor(Date.now() / 1000);
    const events = open('weave/weave').send(`GET /events?since=${since} HTTP/1.1${ending}`);
    await events.until((text) => text.includes('\r\n\r\n'));
    await host.docker('create', '--name', 'ev', 'busybox');
    await events.until((text) => /"Action":"create".*"name":"ev"/.test(text));
    events.socket.destroy();
    await host.docker('rm', 'ev');
  });

  test('cp both ways, build, save and load', async () => {
    // Hosts share /tmp with the machine, and two may play at the same time.
    const file = `/tmp/passthrough-${process.pid}`;
    assert.equal(
      await sh(
        `echo content >${file} && docker cp ${file} long:/f && docker cp long:/f - | tar -xO; rm ${file}`,
      ),
      'content\n',
    );
    await sh(
      "printf 'FROM busybox\\nRUN echo built >/built\\n' | docker build -t built - && docker run --rm built cat /built | grep built",
    );
    await sh(
      `dd if=/dev/urandom of=${file} bs=1M count=30 2>/dev/null; tar -c -C /tmp $(basename ${file}) | docker import - big >/dev/null; rm ${file}`,
    );
    // The order of files in the archive, and their times, are new each time.
    const saved =
      'd=$(mktemp -d); docker save big | tar -xC $d; cd $d; find . -type f -exec sha256sum {} + | sort; rm -r $d';
    const direct = await host.shell(saved);
    assert.equal(await sh(saved), direct.stdout);
    assert.match(
      await sh(`docker save -o ${file} big; docker rmi big >/dev/null; docker load -i ${file}; rm ${file}`),
      /Loaded image: big/,
    );
  });

  test("errors are the engine's own", async () => {
    const out = await host.shell('docker exec nope true; docker start nope; docker inspect nope', {
      env: { DOCKER_HOST: host.proxySocket },
    });
    assert.equal(out.stderr.match(/No such (container|object): nope/g)?.length, 3);
  });

  test('every request of a connection is recognised, and answered byte for byte as by the engine', async () => {
    // Without ages, which grow, and order, which varies.
    await host.docker('create', '--name', 'idle', 'busybox');
    const only = (key: string, value: string) =>
      `filters=${encodeURIComponent(JSON.stringify({ [key]: [value] }))}`;
    const images = `images/json?${only('reference', 'busybox')}`;
    const kept = [
      'GET /_ping HTTP/1.1',
      'HEAD /_ping HTTP/1.1',
      `GET /v1.41/containers/json?all=1&${only('name', 'idle')} HTTP/1.1`,
      'GET /v1.41/containers/long/json HTTP/1.1',
      'GET /containers/nope/json HTTP/1.1',
      'POST /containers/create HTTP/1.1\r\nContent-Length: 0',
      'POST /containers/nope/start HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0',
      'GET //containers/json HTTP/1.1',
      `GET /${images} HTTP/1.1`,
      'GET /nothing HTTP/1.1',
      `GET /v1.41/info/${'x'.repeat(40_000)} HTTP/1.1`,
      `GET /_ping HTTP/1.1\r\nX-Registry-Config: ${'x'.repeat(40_000)}`,
    ];
    const last = [
      'POST /containers/nope/attach?stream=1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0',
      'POST /exec/nope/start HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"Detach":false}',
      'GET /_ping HTTP/1.0',
      'GET /_ping HTTP/1.1\r\nConnection: close',
      `GET /v1.41/${images} HTTP/1.0\r\nConnection: keep-alive`,
    ];
    intercepted.length = 0;
    for (const end of last) {
      const proxied = open('weave/weave');
      const direct = open('docker');
      for (const request of [...kept, end]) {
        const text = request.replace(/( HTTP\/1\.[01])/, '$1\r\nHost: d');
        for (const client of [direct, proxied]) {
          const before = client.received.length;
          client.send(`${text}\r\n\r\n`);
          await client.until(
            (all, { ended }) => ended || (all.length > before && complete(all.slice(before), request)),
          );
        }
        assert.equal(normal(proxied.text), normal(direct.text), request.slice(0, 80));
      }
      // An end comes after the last byte, and through the proxy later.
      if (/ HTTP\/1\.0$|: close$/.test(end)) await direct.until((_, { ended }) => ended);
      await until(`both end, or neither: ${end}`, () => proxied.ended === direct.ended);
      for (const client of [direct, proxied]) client.socket.destroy();
    }
    assert.equal(intercepted.length, 4 * last.length);
  });

  test('recognises what the engine recognises', async () => {
    const targets = [
      '/containers/create',
      '/v1.41/containers/create',
      '/v1.41/containers/create?name=a/b',
      '//containers/create',
      '/v1.41//containers/create',
      '/containers/create/',
      '/containers//create',
      '/%63ontainers/create',
      '/containers%2Fcreate',
      '/%76%31.41/containers/create',
      '/v1.41%2Fcontainers/create',
      '/containers/./create',
      '/x/../containers/create',
      '/containers/%2e%2e/create',
      '/%2e/containers/create',
      '/.../containers/create',
      'http://docker/v1.41/containers/create',
      'http://docker/%63ontainers/create',
      'http://docker//containers/create',
      'http:/containers/create',
      'x:/containers/create',
      'unix://%2Frun%2Fdocker.sock/containers/create',
      'containers/create',
      '/Containers/create',
      '/containers/create#x',
      '/containers/create%23x',
      '/containers/create%3Fx',
      '/containers/create%20',
      '/containers/create%0a',
      '/containers/create%0d',
      '/containers/create%',
      '/containers/cr%zzeate',
      '/containers/create?%zz',
      '/containers/create?a#b',
      '/v1.41./containers/create',
      '/v./containers/create',
      '/v1/containers/create',
      '/v1.41/v1.41/containers/create',
      '/vx/containers/create',
      '/containers/create;x',
      '/containers/create;x?y',
      '\\containers\\create',
      '*',
    ];
    for (const method of ['POST', 'post', 'PUT']) {
      for (const target of targets) {
        const client = open('docker').send(
          `${method} ${target} HTTP/1.1${ending.trimEnd()}\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}`,
        );
        const answer = await client.until((text, { ended }) => ended || complete(text, method));
        client.socket.destroy();
        // Redirects and unreadable requests are no JSON; unknown pages say so; all else is from create itself.
        const creates =
          /application\/json|version .* is too old/.test(answer) && !answer.includes('page not found');
        const recognised = match(method, target)?.name === 'create';
        // What the engine can't parse at all may be recognised, as nothing comes of it.
        if (recognised && answer.startsWith('HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain')) continue;
        assert.equal(recognised, creates, `${method} ${target}: ${answer.slice(0, 400)}`);
      }
    }
    for (const [method, target, name] of [
      ['GET', '/containers/lo%6eg/json', 'inspect'],
      ['GET', '/containers/%6cong%2Fjson', 'inspect'],
      ['GET', '/containers//long/json', undefined],
      ['GET', '/containers/long/json/', undefined],
      ['HEAD', '/containers/long/json', undefined],
    ] as const) {
      const client = open('docker').send(`${method} ${target} HTTP/1.1${ending}`);
      const answer = await client.until((text) => text.includes('\r\n\r\n'));
      client.socket.destroy();
      assert.equal(answer.startsWith('HTTP/1.1 200'), name !== undefined, `${method} ${target}`);
      assert.equal(match(method, target)?.name, name, `${method} ${target}`);
    }
  });

  test('wait: the head arrives before the container ends', async () => {
    const client = open('weave/weave').send(`POST /v1.41/containers/long/wait HTTP/1.1${ending}`);
    await client.until((text) => text.endsWith('\r\n\r\n'));
    client.socket.destroy();
  });

  test('Expect: 100-continue and a slow upload', async () => {
    const tar = await host.shell('cd /bin && tar -c busybox | wc -c');
    const size = Number(tar.stdout);
    const client = open('weave/weave').send(
      `POST /v1.41/images/create?fromSrc=-&repo=slow HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: ${size}\r\n\r\n`,
    );
    await client.until((text) => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    const upload = host.spawn(['sh', '-c', 'cd /bin && tar -c busybox']);
    for await (const piece of upload.stdout as AsyncIterable<Buffer>) {
      client.send(piece);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await client.until((text) => text.includes('sha256:'));
    client.socket.destroy();
  });

  test('clients that disconnect leave no connection to the engine behind', async () => {
    const [before, ours] = [await engineSockets(), (await readdir('/proc/self/fd')).length];
    const paths = ['/events', '/containers/long/logs?follow=1&stdout=1', '/containers/long/stats'];
    for (let turn = 0; turn < 10; turn++) {
      const clients = Array.from({ length: 10 }, (_, index) =>
        open('weave/weave').send(`GET ${paths[index % 3]} HTTP/1.1${ending}`),
      );
      await Promise.all(clients.map((client) => client.until((text) => text.includes('\r\n\r\n'))));
      const all = await engineSockets();
      for (const { socket } of clients) socket.destroy();
      await until('these ten are gone', async () => (await engineSockets()) <= all - 10);
    }
    await until(
      'all are gone',
      async () => (await engineSockets()) <= before && (await readdir('/proc/self/fd')).length <= ours,
    );
  });

  test('the engine goes, and comes back', async () => {
    const follow = open('weave/weave').send(`GET /events HTTP/1.1${ending}`);
    await follow.until((text) => text.includes('\r\n\r\n'));
    await host.stopEngine();
    await follow.until((_, { ended }) => ended);
    const out = await host.shell('docker ps', { env: { DOCKER_HOST: host.proxySocket } });
    assert.match(out.stderr, /Is the docker daemon running/);
    await host.startEngine();
    assert.match(await sh('docker ps -a'), /long/);
  });
});

/** A whole answer to this request has come. */
function complete(text: string, request: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  if (request.startsWith('HEAD')) return true;
  const length = /content-length: (\d+)/i.exec(text.slice(0, end))?.[1];
  if (length !== undefined) return text.length >= end + 4 + Number(length);
  return text.endsWith('0\r\n\r\n');
}

/** Without the time, and without the chunk boundaries, which nobody may rely on. */
function normal(text: string): string {
  return text.replaceAll(/Date: [^\r]+/g, 'Date: -').replaceAll(/\r\n[0-9a-f]+\r\n/g, '');
}
