// Calls that their handlers send on by the client's own connection to the engine.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import test from 'node:test';
import { silent } from '../../../../src/lib/log.ts';
import { withBody } from '../../../../src/proxy/intercept/answer.ts';
import type { Call, Handler } from '../../../../src/proxy/intercept/contract.ts';
import type { Interceptor } from '../../../../src/proxy/intercept/intercept.ts';
import { Connection } from '../../../../src/proxy/wire/connection.ts';
import { decrypted } from '../../../../src/proxy/wire/reads.ts';
import type { Route } from '../../../../src/proxy/wire/routes.ts';
import { type RawClient, Scripted } from '../../../support/proxied.ts';

const request = (name: string, body: string, ...fields: string[]) =>
  `${[`POST /containers/${name} HTTP/1.1`, 'Host: d', ...fields, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`;
const ok = 'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nok';
const created = 'HTTP/1.1 201 Created\r\nServer: x\r\nContent-Length: 10\r\n\r\n{"Id":"1"}';

/** An engine that answers each request of a connection in turn. @returns it, and what it got on each connection */
async function engine(answers: readonly string[], handlers: Record<string, Handler>) {
  const connections: RawClient[] = [];
  const scripted = await Scripted.start((socket) => {
    connections.push(socket);
    const left = [...answers];
    socket.socket.on('data', () => socket.socket.write(left.shift() ?? ok));
  }, handlers);
  return { scripted, connections };
}

test("a call and the requests around it go by the client's own connection, in order", async () => {
  const seen: string[] = [];
  const create: Handler = async (call) => {
    seen.push(call.method, call.target, (await call.body()).toString());
    return call.forward(Buffer.from('{"Image":"changed"}'));
  };
  const { scripted, connections } = await engine([ok, created, ok], { create });
  await using _ = scripted;
  const ping = 'GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n';
  const client = scripted.connect().send(ping + request('create?name=a', '{"Image":"x"}', 'X-Y: z') + ping);
  const answers = await client.until((text) => text.length >= 2 * ok.length + created.length);
  assert.equal(answers, ok + created + ok);
  assert.deepEqual(seen, ['POST', '/containers/create?name=a', '{"Image":"x"}']);
  assert.equal(connections.length, 1);
  const changed =
    'POST /containers/create?name=a HTTP/1.1\r\nHost: d\r\nX-Y: z\r\nContent-Length: 19\r\n\r\n{"Image":"changed"}';
  assert.equal(connections[0]?.text, ping + changed + ping);
  client.socket.destroy();
});

test('a body where there was none gets a type; the engine gets the head unchanged with its own body', async () => {
  const start: Handler = async (call) => {
    await (await call.forward()).buffer();
    return call.forward(Buffer.from('{}'));
  };
  const { scripted, connections } = await engine([ok, ok], { start });
  await using _ = scripted;
  const own = 'POST /containers/a/start HTTP/1.1\r\nHost: d\r\nContent-Type: text/plain\r\n\r\n';
  const client = scripted.connect().send(own);
  assert.equal(await client.until((text) => text.endsWith('ok')), ok);
  const changed =
    'POST /containers/a/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
  assert.equal(connections[0]?.text, own + changed);
  client.socket.destroy();
});

test('whatever the framing of its answer, the client gets it with a length; one without a body stays so', async () => {
  const chunked =
    'HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\nTrailer: y\r\n\r\n';
  const long = 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nabc';
  const continued = `HTTP/1.1 100 Continue\r\n\r\n${long}`;
  const bare = 'HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n';
  const unchanged = 'HTTP/1.1 304 Not Modified\r\nServer: x\r\n\r\n';
  for (const [answer, wanted] of [
    [chunked, long],
    [continued, long],
    [bare, bare],
    [unchanged, unchanged],
  ] as const) {
    for (const cut of [answer.length, 1]) {
      await using scripted = await Scripted.start(
        ({ socket }) =>
          socket.once('data', async () => {
            for (let at = 0; at < answer.length; at += cut) {
              socket.write(answer.slice(at, at + cut));
              await new Promise(setImmediate);
            }
          }),
        { start: (call) => call.forward() },
      );
      const client = scripted.connect().send(request('a/start', ''));
      assert.equal(await client.until((text) => text.length >= wanted.length), wanted);
      client.socket.destroy();
    }
  }
});

test('an answer that ends with the connection is whole when that ends, and ends the client', async () => {
  await using scripted = await Scripted.start(
    ({ socket }) => socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nabc')),
    { start: (call) => call.forward() },
  );
  const client = scripted.connect().send(request('a/start', ''));
  const answer = await client.until((_, { ended }) => ended);
  assert.equal(answer, 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc');
});

test('the engine ends what it was told, though the client has gone; then its connection is closed', async () => {
  let answer = () => {};
  let got: unknown;
  const start: Handler = async (call) => {
    const reply = await call.forward();
    got = [reply.status, call.signal.aborted];
    return reply;
  };
  const connections: RawClient[] = [];
  await using scripted = await Scripted.start(
    (socket) => {
      connections.push(socket);
      answer = () => socket.socket.write(ok);
    },
    { start },
  );
  const client = scripted.connect().send(request('a/start', ''));
  const [connection] = await waitFor(() => connections);
  await connection?.until((text) => text.endsWith('\r\n\r\n'));
  client.socket.destroy();
  await client.until((_, { closed }) => closed);
  assert.equal(connection?.ended, false);
  answer();
  await connection?.until((_, { ended }) => ended);
  assert.deepEqual(got, [200, true]);
});

test('the engine is heard though the client has gone, and left an earlier answer unread', async () => {
  /** One end of a connection whose other end takes only so much. */
  const end = (room: number) => {
    const written: string[] = [];
    const socket = new Duplex({
      highWaterMark: room,
      read: () => {},
      write: (bytes: Buffer, _, taken) => {
        written.push(bytes.toString());
        if (room > 1) taken();
      },
    });
    return {
      written,
      ...decrypted(Object.assign(socket as Socket, { destroySoon: () => socket.destroy() })),
    };
  };
  const [client, engine] = [end(1), end(65_536)];
  let heard: number | undefined;
  const answer = async (call: Call) => {
    const reply = await call.forward();
    heard = reply.status;
    return reply;
  };
  new Connection({
    client,
    engine,
    interceptor: { handles: ({ name }: Route) => name === 'start', answer } as unknown as Interceptor,
    unreachable: '',
    logger: silent,
  });
  client.reads.take(Buffer.from(`GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n${request('a/start', '')}`));
  engine.socket.push(ok);
  await waitFor(() => engine.written.filter((text) => text.startsWith('POST')));
  client.socket.destroy();
  engine.socket.push(ok);
  assert.deepEqual(await waitFor(() => (heard ? [heard] : [])), [200]);
  await waitFor(() => (engine.socket.destroyed ? [true] : []));
});

test('a handler that changes the answer, or answers itself', async () => {
  const create: Handler = async (call) => withBody(await call.forward(), Buffer.from('changed'));
  const start: Handler = async () => ({ status: 409, message: 'no' });
  const { scripted, connections } = await engine([created], { create, start });
  await using _ = scripted;
  const client = scripted.connect().send(request('create', '{}') + request('a/start', ''));
  const refused =
    'HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"message":"no"}\n';
  const answer = await client.until((text) => text.endsWith(refused));
  assert.equal(answer, `HTTP/1.1 201 Created\r\nServer: x\r\nContent-Length: 7\r\n\r\nchanged${refused}`);
  assert.equal(connections[0]?.text, request('create', '{}'));
  client.socket.destroy();
});

test('an engine that closes in the middle of its answer: the client is told so, and closed', async () => {
  await using scripted = await Scripted.start(
    ({ socket }) => socket.once('data', () => socket.end(created.slice(0, -3))),
    { start: (call) => call.forward() },
  );
  const client = scripted.connect().send(request('a/start', ''));
  const answer = await client.until((_, { ended }) => ended);
  assert.match(answer, /^HTTP\/1\.1 502 [\s\S]*"the engine closed the connection"/);
});

test('a client that stops in the middle of the body gets 400, and the engine nothing', async () => {
  const { scripted, connections } = await engine([created], { create: (call) => call.forward() });
  await using _ = scripted;
  const client = scripted.connect().send(request('create', '{"Image":"x"}').slice(0, -3));
  client.socket.end();
  const answer = await client.until((_, { ended }) => ended);
  assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*middle of the body/);
  assert.equal(connections.map(({ text }) => text).join(''), '');
});

test('a client that goes in the middle of the body takes its connection to the engine with it', async () => {
  const { scripted, connections } = await engine([created], { create: (call) => call.forward() });
  await using _ = scripted;
  const client = scripted.connect().send(request('create', '{"Image":"x"}').slice(0, -3));
  const [connection] = await waitFor(() => connections);
  client.socket.destroy();
  await connection?.until((_, { ended }) => ended);
  assert.equal(connection?.text, '');
});

async function waitFor<T>(list: () => T[]): Promise<T[]> {
  while (list().length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  return list();
}
