import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, link, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { type ErrorCode, hasCode } from '../../../../src/lib/errors.ts';
import { silent } from '../../../../src/lib/log.ts';
import { formatEndpoint, parseEndpoint } from '../../../../src/model/endpoint.ts';
import type { TlsFiles } from '../../../../src/model/tls.ts';
import { DockerProxy, type ProxyOptions } from '../../../../src/proxy/proxy.ts';
import { Authority } from '../../../support/certificates.ts';
import { repository } from '../../../support/host.ts';
import { RawClient } from '../../../support/proxied.ts';

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK';
const ping = 'GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n';
const code = (wanted: ErrorCode) => (error: unknown) => hasCode(error, wanted);

test('parses endpoints as dockerd does', () => {
  const forms: [text: string, formatted: string][] = [
    ['unix:///a/b.sock', 'unix:///a/b.sock'],
    ['/a/b.sock', 'unix:///a/b.sock'],
    ['tcp://1.2.3.4:5', 'tcp://1.2.3.4:5'],
    ['1.2.3.4:5', 'tcp://1.2.3.4:5'],
    ['1.2.3.4', 'tcp://1.2.3.4:12375'],
    ['tcp://:5', 'tcp://127.0.0.1:5'],
    ['tcp://[::1]:5', 'tcp://[::1]:5'],
    ['[::1]', 'tcp://[::1]:12375'],
    ['host.example:5', 'tcp://host.example:5'],
    ['fd://', 'fd://'],
  ];
  for (const [text, formatted] of forms) assert.equal(formatEndpoint(parseEndpoint(text)), formatted, text);
  for (const text of [
    '',
    'unix://',
    'unix://relative',
    'tcp://1.2.3.4:99999',
    'udp://1.2.3.4:5',
    '::1',
    'a b',
    'tcp://a/b',
  ])
    assert.throws(() => parseEndpoint(text), code('USAGE'), text);
});

describe('listening', () => {
  let dir: string;
  const engine = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', () => socket.write(answer)).on('end', () => socket.end());
  });
  const running: DockerProxy[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weavets-'));
    engine.listen(`${dir}/engine.sock`);
    await once(engine, 'listening');
  });
  after(async () => {
    for (const proxy of running) await proxy.close();
    engine.close();
    await rm(dir, { recursive: true });
  });

  async function start(options: Partial<ProxyOptions>): Promise<DockerProxy> {
    const proxy = await DockerProxy.start({
      hosts: [],
      engine: `unix://${dir}/engine.sock`,
      engineTls: null,
      tls: null,
      allowInsecureTcp: false,
      handlers: {},
      logger: silent,
      ...options,
    });
    running.push(proxy);
    return proxy;
  }

  async function answers(socket: Socket): Promise<string> {
    const client = new RawClient(socket).send(ping);
    await client.until((text, { closed }) => text.length >= answer.length || closed);
    socket.destroy();
    return client.text;
  }

  const port = (proxy: DockerProxy) => Number(/\d+$/.exec(proxy.addresses[0] ?? '')?.[0]);

  test("a unix socket is made with its folder and has the engine's owner, group and mode; closing removes it", async () => {
    await chown(`${dir}/engine.sock`, 1234, 2345);
    await chmod(`${dir}/engine.sock`, 0o640);
    const proxy = await start({ hosts: [`unix://${dir}/new/folder/a.sock`] });
    const { uid, gid, mode } = await stat(`${dir}/new/folder/a.sock`);
    assert.deepEqual([uid, gid, mode & 0o777], [1234, 2345, 0o640]);
    assert.deepEqual(proxy.addresses, [`unix://${dir}/new/folder/a.sock`]);
    assert.equal(await answers(connect(`${dir}/new/folder/a.sock`)), answer);
    await proxy.close();
    assert.equal(existsSync(`${dir}/new/folder/a.sock`), false);
  });

  test("without the engine's socket to copy, it is for root only", async () => {
    await start({ hosts: [`unix://${dir}/b.sock`], engine: 'tcp://127.0.0.1:1' });
    const { uid, gid, mode } = await stat(`${dir}/b.sock`);
    assert.deepEqual([uid, gid, mode & 0o777], [0, 0, 0o660]);
  });

  test('a socket that nobody answers on is replaced; one in use, a file and the engine are left alone', async () => {
    const crashed = spawn(process.execPath, [
      '-e',
      `net.createServer().listen('${dir}/c.sock', () => console.log(1))`,
    ]);
    await once(crashed.stdout, 'data');
    crashed.kill('SIGKILL');
    await once(crashed, 'exit');
    assert.ok(existsSync(`${dir}/c.sock`));
    await start({ hosts: [`unix://${dir}/c.sock`] });
    assert.equal(await answers(connect(`${dir}/c.sock`)), answer);
    await assert.rejects(start({ hosts: [`unix://${dir}/c.sock`] }), code('ADDRESS_IN_USE'));
    assert.equal(await answers(connect(`${dir}/c.sock`)), answer);
    await writeFile(`${dir}/file`, 'kept');
    await assert.rejects(start({ hosts: [`unix://${dir}/file`] }), code('ADDRESS_IN_USE'));
    assert.ok(existsSync(`${dir}/file`));
    await assert.rejects(start({ hosts: [`unix://${dir}/engine.sock`] }), code('USAGE'));
    assert.equal(await answers(connect(`${dir}/engine.sock`)), answer);
  });

  test('all endpoints or none', async () => {
    const busy = createServer().listen(0, '127.0.0.1');
    await once(busy, 'listening');
    const address = busy.address();
    const taken = typeof address === 'object' ? address?.port : 0;
    const hosts = [`unix://${dir}/d.sock`, `127.0.0.1:${taken}`];
    await assert.rejects(start({ hosts }), code('ADDRESS_IN_USE'));
    assert.equal(existsSync(`${dir}/d.sock`), false);
    busy.close();
    await assert.rejects(start({ hosts: ['192.0.2.1:0'], allowInsecureTcp: true }), code('USAGE'));
  });

  test('TCP without TLS is for loopback only, unless allowed', async () => {
    for (const host of ['0.0.0.0:0', '10.250.0.254:0', '[::]:0', 'example.org:0'])
      await assert.rejects(start({ hosts: [host] }), code('INSECURE_TCP'), host);
    const local = await start({ hosts: ['127.0.0.1:0', 'tcp://localhost:0'] });
    assert.match(local.addresses[0] ?? '', /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
    assert.equal(await answers(connect(port(local), '127.0.0.1')), answer);
    const open = await start({ hosts: ['0.0.0.0:0'], allowInsecureTcp: true });
    assert.equal(await answers(connect(port(open), '127.0.0.1')), answer);
  });

  test('TLS: encrypted with --tls, and only for known clients with --tlsverify; the same towards the engine', async () => {
    const files = await certificates(dir);
    const ca = await readFile(files.ca);
    const plain = await start({ hosts: ['0.0.0.0:0'], tls: { ...files, verify: false } });
    assert.equal(await answers(connectTls({ port: port(plain), ca, servername: 'proxy' })), answer);
    const verified = await start({ hosts: ['127.0.0.1:0'], tls: { ...files, verify: true } });
    assert.equal(await answers(connectTls({ port: port(verified), ca, servername: 'proxy' })), '');
    assert.equal(
      await answers(connectTls({ port: port(verified), ca, servername: 'proxy', maxVersion: 'TLSv1.1' })),
      '',
    );
    assert.equal(await answers(connect(port(verified), '127.0.0.1')), '');

    const engineTls = { ...files, verify: true };
    const chained = await start({
      hosts: [`unix://${dir}/e.sock`],
      engine: `localhost:${port(verified)}`,
      engineTls,
    });
    assert.equal(await answers(connect(`${dir}/e.sock`)), answer);
    assert.equal(chained.addresses.length, 1);
    const stranger = { verify: true, ca: files.ca };
    await start({
      hosts: [`unix://${dir}/f.sock`],
      engine: `localhost:${port(verified)}`,
      engineTls: stranger,
    });
    assert.doesNotMatch(await answers(connect(`${dir}/f.sock`)), /200 OK/);
    // Its certificate is not for this name.
    await start({ hosts: [`unix://${dir}/g.sock`], engine: `127.0.0.1:${port(verified)}`, engineTls });
    assert.match(await answers(connect(`${dir}/g.sock`)), /^HTTP\/1\.1 502 /);

    await assert.rejects(start({ hosts: ['127.0.0.1:0'], tls: { verify: false } }), code('TLS_CONFIG'));
    await assert.rejects(
      start({ hosts: ['127.0.0.1:0'], tls: { ...files, ca: undefined, verify: true } }),
      code('TLS_CONFIG'),
    );
    await assert.rejects(
      start({ hosts: ['127.0.0.1:0'], tls: { ...files, key: '/nope', verify: false } }),
      code('TLS_CONFIG'),
    );
    await assert.rejects(
      start({ hosts: ['127.0.0.1:0'], tls: { ...files, key: files.ca, verify: false } }),
      code('TLS_CONFIG'),
    );
  });

  test("systemd's sockets", async (t) => {
    await assert.rejects(start({ hosts: ['fd://'] }), code('USAGE'));
    const files = await certificates(dir);
    const tls = JSON.stringify({ ...files, verify: false });
    const script = `
      import { DockerProxy } from './src/proxy/proxy.ts';
      import { silent } from './src/lib/log.ts';
      process.env.LISTEN_PID = String(process.pid);
      const options = { engineTls: null, tls: ${tls}, allowInsecureTcp: false, handlers: {}, logger: silent };
      const proxy = await DockerProxy.start({ hosts: ['fd://'], engine: 'unix://${dir}/engine.sock', ...options });
      console.log(proxy.addresses.join());`;
    const unix = createServer().listen(`${dir}/h.sock`);
    const tcp = createServer().listen(0, '127.0.0.1');
    const sockets = [unix, tcp];
    await Promise.all(sockets.map((socket) => once(socket, 'listening')));
    const { port } = tcp.address() as AddressInfo;
    const passed = sockets.map((socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd);
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit', ...passed],
      cwd: repository,
      env: { ...process.env, LISTEN_FDS: '2' },
    });
    t.after(() => child.kill());
    const ended = once(child, 'close').then(() => assert.fail('the proxy ended before it said anything'));
    const [said] = await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended]);
    ended.catch(() => {});
    // Closing here, so that none but the proxy accepts, removes the socket's file.
    await link(`${dir}/h.sock`, `${dir}/linked.sock`);
    for (const socket of sockets) socket.close();
    assert.equal(`${said}`.trim(), `unix://${dir}/h.sock,tcp://127.0.0.1:${port}`);
    // The unit says who may come to a unix socket; by TCP, only with TLS.
    assert.equal(await answers(connect(`${dir}/linked.sock`)), answer);
    const ca = await readFile(files.ca);
    assert.equal(await answers(connectTls({ port, ca, servername: 'proxy' })), answer);
    assert.doesNotMatch(await answers(connect(port, '127.0.0.1')), /200 OK/);
  });
});

/** A certificate for `proxy` and `localhost`, and its authority. */
async function certificates(dir: string): Promise<TlsFiles & { ca: string }> {
  const authority = await Authority.create(dir);
  return { verify: false, ...(await authority.sign('proxy', ['DNS:proxy', 'DNS:localhost'])) };
}
