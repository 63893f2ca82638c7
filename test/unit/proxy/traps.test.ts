import assert from 'node:assert/strict';
import test from 'node:test';
import type { RawClient } from '../../support/proxied.ts';
import { Scripted } from '../../support/proxied.ts';

const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

test('the head of an answer passes before its body begins', async () => {
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start((socket) => {
    engine = socket;
  });
  const client = scripted.connect().send('POST /containers/a/wait HTTP/1.1\r\nHost: d\r\n\r\n');
  await client.until(() => engine?.text.endsWith('\r\n\r\n') ?? false);
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  engine?.send(head);
  assert.equal(await client.until((text) => text.length > 0 && text.endsWith('\r\n\r\n')), head);
  client.socket.destroy();
});

test('the endpoint alone decides whether a call can be hijacked, not the content type', async () => {
  const upgraded = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: X\r\n\r\n';
  const old = 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n';
  const upgrade = (kind: string) => `Connection: Upgrade\r\nUpgrade: ${kind}\r\n`;
  for (const [line, fields, answer] of [
    ['POST /session', upgrade('h2c'), upgraded],
    ['POST /grpc', upgrade('h2c'), upgraded],
    ['GET /containers/a/attach/ws?stream=1', upgrade('websocket'), upgraded],
    ['POST /v1.44/containers/a/attach?stream=1', upgrade('tcp'), upgraded],
    ['POST /containers/a/attach?stream=1', '', old],
    ['POST /exec/e/start', 'Content-Length: 0\r\n', old],
  ] as const) {
    let engine: RawClient | undefined;
    await using scripted = await Scripted.start((socket) => {
      engine = socket;
      socket.socket.once('data', () => socket.send(answer));
    });
    const request = `${line} HTTP/1.1\r\nHost: d\r\n${fields}\r\n`;
    const client = scripted.connect().send(request);
    assert.equal(await client.until((text) => text.endsWith('\r\n\r\n')), answer, line);
    // No request, and no chunk: bytes.
    const bytes = 'POST /containers/create HTTP/1.1\r\n\0\r\n\r\n';
    client.send(bytes);
    await client.until(() => engine?.text === request + bytes);
    client.socket.destroy();
  }
});

test('a stream-like answer is plain HTTP if the endpoint is not a hijack', async () => {
  const answer =
    'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n';
  await using scripted = await Scripted.start(
    (engine) => void engine.socket.once('data', () => engine.send(answer)),
    { create: async () => ({ status: 418, message: 'recognised' }) },
  );
  const client = scripted.connect().send('GET /containers/a/logs?stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n');
  assert.equal(await client.until((text) => text.endsWith('0\r\n\r\n')), answer);
  client.send('POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
  await client.until((text) => text.includes('recognised'));
  client.socket.destroy();
});

test('trailers and one large chunk pass unchanged, both ways', async () => {
  const big = 'x'.repeat(300_000);
  const chunked = `Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${big.length.toString(16)}\r\n${big}\r\n0\r\nX-Sum: 1\r\n\r\n`;
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start((socket) => {
    engine = socket;
    void socket
      .until((text) => text.endsWith('X-Sum: 1\r\n\r\n'), 20_000)
      .then(() => {
        socket.send(`HTTP/1.1 200 OK\r\n${chunked}`);
      });
  });
  const request = `POST /build HTTP/1.1\r\nHost: d\r\n${chunked}`;
  const client = scripted.connect().send(request);
  await client.until((text) => text.endsWith('X-Sum: 1\r\n\r\n'), 20_000);
  assert.equal(client.text, `HTTP/1.1 200 OK\r\n${chunked}`);
  assert.equal(engine?.text, request);
  client.socket.destroy();
});

test('any Host, no Host, and absolute targets pass unchanged', async () => {
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start(
    (socket) => {
      engine = socket;
      socket.socket.on('data', () => socket.send(ok('made')));
    },
    { create: (call) => call.forward() },
  );
  for (const head of [
    'GET /_ping HTTP/1.1\r\nHost: /var/run/docker.sock',
    'GET /_ping HTTP/1.1\r\nHost: %2Fvar%2Frun%2Fdocker.sock',
    'GET /_ping HTTP/1.1\r\nHost: ',
    'GET /_ping HTTP/1.0\r\nAccept: */*',
    'GET http://docker/v1.41/_ping HTTP/1.1\r\nHost: other',
  ]) {
    const client = scripted.connect().send(`${head}\r\n\r\n`);
    await client.until((text) => text.endsWith('made'));
    assert.equal(engine?.text, `${head}\r\n\r\n`);
    client.socket.destroy();
  }
  // An intercepted one, too, with the Host that the client gave.
  const client = scripted
    .connect()
    .send('POST /containers/create HTTP/1.1\r\nHost: /var/run/docker.sock\r\nContent-Length: 2\r\n\r\n{}');
  await client.until((text) => text.endsWith('made'));
  assert.match(engine?.text ?? '', /^host: \/var\/run\/docker\.sock\r$/im);
  client.socket.destroy();
});

test('heads beyond the 16 KiB of node:http pass, plain and intercepted', async () => {
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start(
    (socket) => {
      engine = socket;
      socket.socket.on('data', () => {
        if (socket.text.includes('\r\n\r\n')) socket.send(ok('made'));
      });
    },
    { create: (call) => call.forward() },
  );
  const config = `X-Registry-Config: ${'x'.repeat(100_000)}`;
  for (const line of ['POST /build', `POST /containers/create?x=${'y'.repeat(50_000)}`]) {
    const client = scripted
      .connect()
      .send(`${line} HTTP/1.1\r\nHost: d\r\n${config}\r\nContent-Length: 0\r\n\r\n`);
    assert.equal(await client.until((text) => text.endsWith('made')), ok('made'), line.slice(0, 30));
    assert.ok(engine?.text.toLowerCase().includes(config.toLowerCase()));
    client.socket.destroy();
  }
});

test('an intercepted body is limited, by its length and in chunks', async () => {
  let reached = false;
  await using scripted = await Scripted.start(
    (engine) => {
      engine.socket.on('data', () => {
        reached = true;
      });
    },
    {
      create: async (call) => {
        await call.body();
        return call.forward();
      },
    },
  );
  const size = 17 * 1024 * 1024;
  for (const framing of [
    `Content-Length: ${size}\r\n\r\n`,
    `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`,
  ]) {
    const client = scripted.connect().send(`POST /containers/create HTTP/1.1\r\nHost: d\r\n${framing}`);
    client.send(Buffer.alloc(size, 'x'));
    const text = await client.until((all) => all.includes('}'), 20_000);
    assert.match(text, /^HTTP\/1\.1 413 Payload Too Large\r\n[\s\S]*\{"message":"the body/);
    client.socket.destroy();
  }
  assert.equal(reached, false);
});

test('an idle connection that the engine closes is closed for the client, and no request is sent twice', async () => {
  const seen: string[] = [];
  await using scripted = await Scripted.start(
    (engine) => {
      engine.socket.on('data', (bytes: Buffer) => {
        seen.push(bytes.toString().split(' HTTP')[0] ?? '');
        if (engine.text.includes('/start')) engine.socket.destroy();
        else engine.socket.end(ok('once'));
      });
    },
    { start: (call) => call.forward() },
  );
  const client = scripted.connect().send('GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n');
  assert.equal(await client.until((_, { ended }) => ended), ok('once'));
  client.socket.destroy();
  const starting = scripted
    .connect()
    .send('POST /containers/a/start HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
  assert.match(await starting.until((text) => text.includes('}')), /^HTTP\/1\.1 502 /);
  starting.socket.destroy();
  assert.deepEqual(seen, ['GET /_ping', 'POST /containers/a/start']);
});
