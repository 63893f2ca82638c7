import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const piece = Buffer.alloc(32 * 1024, 'x');
/** As docker and the engine send: in chunks of what they copy at a time. */
const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
const last = '0\r\n\r\n';
const chunked = 'Transfer-Encoding: chunked\r\n\r\n';

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += piece.length)
    if (!socket.write(chunk)) await once(socket, 'drain');
  socket.write(last);
}

/** Reads to the end of a body. @returns bytes received, head included */
function receive(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    let tail = '';
    const more = (part: Buffer) => {
      bytes += part.length;
      tail = (tail + part.toString('latin1', Math.max(0, part.length - last.length))).slice(-last.length);
      if (tail !== last) return;
      socket.off('data', more);
      resolve(bytes);
    };
    socket.on('data', more).once('close', () => reject(new Error(`closed after ${bytes} bytes`)));
  });
}

test('2 GB up and down, like load and save, take no more memory than 100 MB', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'weavets-'));
  t.after(() => rm(dir, { recursive: true }));
  let size = 0;
  const engine = createServer((socket) => {
    socket.once('data', async (head: Buffer) => {
      if (head.toString('latin1', 0, 3) === 'GET') {
        socket.write(`HTTP/1.1 200 OK\r\n${chunked}`);
        return send(socket, size);
      }
      const received = receive(socket);
      const rest = head.subarray(head.indexOf('\r\n\r\n') + 4);
      if (rest.length > 0) socket.unshift(rest);
      socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${await received}`);
    });
  }).listen(`${dir}/engine.sock`);
  t.after(() => engine.close());
  const argv = [
    '--import',
    'tsx',
    'bench/proxy-main.ts',
    `unix://${dir}/proxy.sock`,
    `unix://${dir}/engine.sock`,
  ];
  const proxy = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => proxy.kill('SIGKILL'));
  await once(proxy.stdout, 'data');

  async function transfer(bytes: number): Promise<void> {
    size = bytes;
    const framed = (bytes / piece.length) * chunk.length + last.length;
    const down = connect(`${dir}/proxy.sock`);
    down.write('GET /images/big/get HTTP/1.1\r\nHost: d\r\n\r\n');
    assert.equal(await receive(down), `HTTP/1.1 200 OK\r\n${chunked}`.length + framed);
    down.destroy();
    const up = connect(`${dir}/proxy.sock`);
    up.write(`POST /images/load HTTP/1.1\r\nHost: d\r\n${chunked}`);
    const answer = up.toArray();
    await send(up, bytes);
    assert.match(Buffer.concat(await answer).toString(), new RegExp(`\r\n\r\n${framed}$`));
  }
  /** MB that the proxy held at most since the last time. */
  async function peak(): Promise<number> {
    const status = await readFile(`/proc/${proxy.pid}/status`, 'utf8');
    await writeFile(`/proc/${proxy.pid}/clear_refs`, '5');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }

  await transfer(100 * 2 ** 20);
  const before = await peak();
  await transfer(2 * 2 ** 30);
  const after = await peak();
  assert.ok(after - before < 64, `${before.toFixed(0)} MB before, ${after.toFixed(0)} MB after`);
});
