import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { silent } from '../../../../src/lib/log.ts';
import { DockerProxy } from '../../../../src/proxy/proxy.ts';
import { Authority } from '../../../support/certificates.ts';

/** Of each way of each connection. */
const size = 1024 * 1024;
const connections = 4;
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const upTo = (limit: number) => Math.floor(Math.random() * limit);

/** Sends in pieces of all sizes, waiting now and then; first in small ones, each by itself. */
async function send(socket: Socket, bytes: Buffer): Promise<void> {
  for (let at = 0, end = 0; at < bytes.length; at = end) {
    const few = at < bytes.length / 2;
    end = at + 1 + upTo(few || upTo(2) === 0 ? 3000 : 300_000);
    if (!socket.write(bytes.subarray(at, end))) await once(socket, 'drain');
    if (few) await setImmediate();
    else if (upTo(8) === 0) await setTimeout(upTo(4));
  }
}

/** Reads a number of bytes with pauses, so that the senders have to wait. */
function receive(socket: Socket, length: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let received = 0;
  return new Promise((resolve, reject) => {
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      received += piece.length;
      if (received >= length) return resolve(Buffer.concat(pieces));
      const wait = upTo(20) === 0 ? 100 : upTo(8) === 0 ? upTo(4) : 0;
      if (wait === 0) return;
      socket.pause();
      void setTimeout(wait).then(() => socket.resume());
    });
    socket.once('close', () => reject(new Error(`closed after ${received} of ${length} bytes`)));
  });
}

/** Answers a hijack with 101, and then sends and receives so many bytes at once, each told the sum of. */
async function talk(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  await once(socket, 'readable');
  socket.read();
  socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  const bytes = randomBytes(size);
  const [received] = await Promise.all([receive(socket, size), send(socket, bytes)]);
  socket.end(sha256(bytes) + sha256(received));
}

suite('what is sent is what arrives, both ways at once, however slow and in whatever pieces', async () => {
  let dir = '';
  const closing: (() => Promise<unknown> | unknown)[] = [];
  const ways: Record<string, () => Socket> = {};

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weavets-'));
    const { ca, cert, key } = await (await Authority.create(dir)).sign('any', ['DNS:localhost']);
    const pem = { ca: await readFile(ca), cert: await readFile(cert), key: await readFile(key) };
    const tls = { ca, cert, key, verify: true };
    const serve = async (server: Server, where: string | number) => {
      server.listen(where);
      await once(server, 'listening');
      closing.push(() => server.close());
      return server.address();
    };
    await serve(createServer(talk), `${dir}/engine.sock`);
    const secure = await serve(createTlsServer(pem, talk), 0);
    const engines = {
      plain: `unix://${dir}/engine.sock`,
      tls: `tcp://localhost:${(secure as { port: number }).port}`,
    };
    for (const [kind, engine] of Object.entries(engines)) {
      const hosts = [`unix://${dir}/${kind}.sock`, 'tcp://127.0.0.1:0'];
      const engineTls = kind === 'tls' ? tls : null;
      const options = {
        hosts,
        engine,
        engineTls,
        tls,
        allowInsecureTcp: false,
        handlers: {},
        logger: silent,
      };
      const proxy = await DockerProxy.start(options);
      closing.push(() => proxy.close());
      const port = Number(proxy.addresses[1]?.split(':').at(-1));
      ways[`plain to ${kind}`] = () => connect(`${dir}/${kind}.sock`);
      ways[`tls to ${kind}`] = () => connectTls({ port, servername: 'localhost', ...pem });
    }
  });
  after(async () => {
    for (const close of closing.toReversed()) await close();
    await rm(dir, { recursive: true });
  });

  for (const way of ['plain to plain', 'tls to plain', 'plain to tls', 'tls to tls'])
    test(way, async () => {
      await Promise.all(
        Array.from({ length: connections }, async () => {
          const client = ways[way]?.() as Socket;
          client.write('POST /session HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
          const [head] = (await once(client, 'data')) as [Buffer];
          client.unshift(head.subarray(head.indexOf('\r\n\r\n') + 4));
          const bytes = randomBytes(size);
          const [received] = await Promise.all([receive(client, size + 128), send(client, bytes)]);
          assert.equal(received.toString('latin1', size), sha256(received.subarray(0, size)) + sha256(bytes));
          client.destroy();
        }),
      );
    });
});
