import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { Call } from '../../../../src/proxy/intercept/contract.ts';
import { type RawClient, Scripted } from '../../../support/proxied.ts';

const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: d\r\n\r\n`;
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: d\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const chunkedPost = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)};x=1\r\n${body}\r\n0\r\nA: b\r\n\r\n`;
const attach =
  'POST /containers/a/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
const notFound = 'HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\n{"message":"no"}';
const message = (text: string) => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).message as string;

/** An engine that answers `answer` once each time that `mark` has come again. */
const answering = (mark: string, answer: string) => (engine: RawClient) => {
  let answered = 0;
  engine.socket.on('data', () => {
    for (; answered < engine.text.split(mark).length - 1; answered++) engine.send(answer);
  });
  engine.socket.on('end', () => engine.socket.end());
};

test('every request of a connection is recognised, however its bytes are cut, and plain ones pass unchanged', async () => {
  let engine: RawClient | undefined;
  const bodies: string[] = [];
  await using scripted = await Scripted.start(
    (socket) => {
      engine = socket;
      answering('END', ok('plain'))(socket);
      socket.socket.on('end', () => socket.socket.end());
    },
    {
      create: async (call) => {
        bodies.push((await call.body()).toString());
        return { status: 418, message: 'intercepted' };
      },
    },
  );
  const plain = [
    chunkedPost('/%62uild', '0\r\n\r\nPOST /containers/create END'),
    post('//x', 'xEND'),
    get('/END'),
  ];
  const [first = '', second = '', third = ''] = plain;
  const stream = Buffer.from(
    `${first}${post('/containers/create', 'one')}\r\n${second}${chunkedPost('/v1.41/%63ontainers/create?name=x', 'two')}${third}`,
  );
  let answers: string | undefined;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
      async (sizes) => {
        bodies.length = 0;
        const client = scripted.connect();
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          client.send(stream.subarray(at, at + size));
          at += size;
          await new Promise((resolve) => setImmediate(resolve));
        }
        const text = await client.until((all) => all.match(/plain|intercepted/g)?.length === 5);
        answers ??= text;
        assert.equal(text, answers);
        assert.deepEqual(text.match(/plain|intercepted/g), [
          'plain',
          'intercepted',
          'plain',
          'intercepted',
          'plain',
        ]);
        assert.deepEqual(bodies, ['one', 'two']);
        assert.equal(engine?.text, plain.join(''));
        client.socket.destroy();
      },
    ),
    { numRuns: 40 },
  );
});

test('ambiguous requests get 400 and never reach the engine', async () => {
  let reached = '';
  await using scripted = await Scripted.start((engine) => {
    engine.socket.on('data', () => {
      reached += engine.text;
    });
  });
  for (const fields of [
    'Content-Length: 3\r\nContent-Length: 4',
    'Content-Length: 3\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked, chunked',
    'X: a\r\n folded',
    'Content-Length : 3',
    'X: a\nContent-Length: 3',
  ]) {
    const client = scripted.connect().send(`POST /build HTTP/1.1\r\nHost: d\r\n${fields}\r\n\r\nabc`);
    const text = await client.until((_, { ended }) => ended);
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/json\r\n/, fields);
    assert.ok(message(text).length > 10);
    client.socket.destroy();
  }
  assert.equal(reached, '');
});

test('broken chunks end the request with 400, and the engine sees it cut short', async () => {
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start((socket) => {
    engine = socket;
  });
  const client = scripted
    .connect()
    .send('POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await client.until(() => engine?.text.endsWith('abc\r\n') ?? false);
  client.send('zz\r\n0\r\n\r\n');
  assert.match(await client.until((_, { ended }) => ended), /^HTTP\/1\.1 400 /);
  await client.until(() => engine?.ended ?? false);
  assert.doesNotMatch(engine?.text ?? '', /zz/);
});

test('an engine that disconnects in the middle of an answer ends the client the same way', async () => {
  for (const part of [
    'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc',
    'HTTP/1.1 200 OK\r\nX',
    '',
  ]) {
    for (const how of ['end', 'destroy'] as const) {
      await using scripted = await Scripted.start((engine) => {
        engine.socket.once('data', () => engine.socket.write(part, () => engine.socket[how]()));
      });
      const client = scripted.connect().send(get('/x'));
      assert.equal(await client.until((_, { ended }) => ended), part);
      await client.until(() => scripted.open === 0);
      client.socket.destroy();
    }
  }
});

test('an answer without a length lasts until the engine closes', async () => {
  await using scripted = await Scripted.start((engine) => {
    engine.socket.once('data', async () => {
      engine.send('HTTP/1.0 200 OK\r\n\r\nfirst');
      await engine.until((text) => text.includes('never'), 100).catch(() => {});
      engine.socket.end(' last');
    });
  });
  const client = scripted.connect().send(get('/x') + get('/never'));
  assert.equal(await client.until((_, { ended }) => ended), 'HTTP/1.0 200 OK\r\n\r\nfirst last');
  client.socket.destroy();
});

test('the answer of an engine that refuses an upload and closes still arrives', async () => {
  const refusal = 'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno';
  for (const how of ['end', 'destroySoon'] as const) {
    await using scripted = await Scripted.start((engine) => {
      engine.socket.once('data', () => {
        engine.socket.pause();
        engine.send(refusal).socket[how]();
      });
    });
    const client = scripted
      .connect()
      .send('POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 50000000\r\n\r\n');
    // Sends as fast as it may, all the while.
    const chunk = Buffer.alloc(65_536);
    const pump = () => {
      while (!client.ended && client.socket.writable && client.socket.write(chunk));
    };
    client.socket.on('drain', pump);
    pump();
    assert.equal(await client.until((_, { ended }) => ended), refusal, how);
    client.socket.destroy();
  }
});

test('without an engine: a 502 that clients understand, for intercepted calls too', async () => {
  const scripted = await Scripted.start(() => {}, { create: (call) => call.forward() });
  await using _disposed = scripted;
  scripted.stopEngine();
  for (const request of [get('/_ping'), post('/containers/create', '{}'), attach]) {
    const client = scripted.connect().send(request);
    const text = await client.until((all) => all.includes('}'));
    assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
    assert.match(
      message(text),
      /^Cannot connect to the Docker daemon at unix:.*Is the docker daemon running\?$/,
    );
    client.socket.destroy();
  }
  const head = scripted.connect().send('HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n');
  const text = await head.until((_, { ended }) => ended);
  assert.ok(text.startsWith('HTTP/1.1 502 ') && text.endsWith('\r\n\r\n'), text);
  head.socket.destroy();
});

test('a client that disconnects takes its connection to the engine with it', async () => {
  const phases: [string, string, string][] = [
    ['idle', '', ''],
    ['within a head', 'GET /x HT', ''],
    ['within an upload', 'POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\nabc', ''],
    ['waiting', get('/x'), ''],
    ['within an answer', get('/x'), 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
    ['hijacked', attach, 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nabc'],
    ['hijack waiting', attach, ''],
  ];
  for (const [phase, request, answer] of phases) {
    let engine: RawClient | undefined;
    await using scripted = await Scripted.start((socket) => {
      engine = socket;
      if (answer) socket.socket.once('data', () => socket.send(answer));
      // As Go's server: the end of what the client sends ends the call.
      socket.socket.on('end', () => socket.socket.end());
    });
    const client = scripted.connect();
    await client.until(() => engine !== undefined);
    client.send(request);
    await client.until((text) => text === answer && (phase === 'within a head' || engine?.text === request));
    client.socket.destroy();
    await client.until(() => scripted.open === 0).catch(() => assert.fail(phase));
  }
});

test('after 101 everything is raw, and each direction ends on its own', async () => {
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start((socket) => {
    engine = socket;
    socket.socket.once('data', () => socket.send('HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nhello '));
  });
  const client = scripted.connect().send(attach);
  await client.until((text) => text.endsWith('hello '));
  const bytes = 'GET / HTTP/1.1\nnot: http\0\r\n\r\n';
  client.socket.end(bytes);
  await client.until(() => engine?.ended ?? false);
  assert.equal(engine?.text, attach + bytes);
  engine?.socket.end('after the end');
  assert.match(await client.until((_, { ended }) => ended), /\r\n\r\nhello after the end$/);
  await client.until(({ length }, { closed }) => length > 0 && closed);
});

test('the engine may end first, and the client can still send', async () => {
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start((socket) => {
    engine = socket;
    socket.socket.once('data', () => socket.socket.end('HTTP/1.1 101 UPGRADED\r\n\r\nbye'));
  });
  const client = scripted.connect().send(attach);
  await client.until((_, { ended }) => ended);
  client.socket.end('late');
  await client.until(() => engine?.ended ?? false);
  assert.ok(engine?.text.endsWith('late'));
});

test('the old hijack: 200 without a length is raw too, and early bytes are stream, not a request', async () => {
  const early = post('/containers/create', '{}');
  let engine: RawClient | undefined;
  let intercepted = 0;
  await using scripted = await Scripted.start(
    (socket) => {
      engine = socket;
      socket.socket.once('data', () =>
        setTimeout(
          () => socket.send('HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n'),
          20,
        ),
      );
    },
    {
      create: async () => {
        intercepted++;
        return { status: 500, message: 'no' };
      },
    },
  );
  const request = post('/v1.20/exec/e/start', '{"Detach":false}');
  const client = scripted.connect().send(request + early);
  await client.until(() => engine?.text === request + early);
  client.send(early);
  await client.until(() => engine?.text === request + early + early);
  assert.equal(intercepted, 0);
  client.socket.destroy();
});

test('after a hijack that the engine refused or ignored, further requests are recognised', async () => {
  for (const [request, answer] of [
    [attach, notFound],
    [post('/exec/e/start', '{"Detach":true}'), 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    [post('/exec/e/start', '{"Detach":true}'), 'HTTP/1.1 204 No Content\r\n\r\n'],
    [
      post('/exec/e/start', '{}'),
      'HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
    ],
    ['GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', ok('OK')],
  ]) {
    const create = post('/containers/create', '{}');
    await using scripted = await Scripted.start(
      (engine) => void engine.socket.once('data', () => setTimeout(() => engine.send(answer ?? ''), 10)),
      { create: async () => ({ status: 418, message: 'recognised' }) },
    );
    // Once sent ahead, and once after the answer.
    const client = scripted.connect().send(request + create);
    await client.until((text) => text.includes('recognised'));
    client.send(create);
    const text = await client.until((all) => all.split('recognised').length === 3);
    assert.ok(text.startsWith(answer ?? ''));
    client.socket.destroy();
  }
});

test('an intercepted call ignores an upgrade, as the engine does', async () => {
  await using scripted = await Scripted.start(() => {}, {
    create: async () => ({ status: 418, message: 'seen' }),
  });
  const client = scripted
    .connect()
    .send(
      'POST /containers/create HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n',
    );
  await client.until((text) => text.includes('seen'));
  client.socket.destroy();
});

test("HTTP/2's preface makes the connection raw", async () => {
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start((socket) => {
    engine = socket;
  });
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
  const client = scripted.connect().send(preface);
  await client.until(() => engine?.text === preface);
  engine?.send(Buffer.from([0, 1, 2, 10]));
  await client.until((text) => text === '\0\x01\x02\n');
  client.socket.destroy();
});

test('100 Continue passes at once, then the body', async () => {
  await using scripted = await Scripted.start((engine) => {
    engine.socket.once('data', () => engine.send('HTTP/1.1 100 Continue\r\n\r\n'));
    void engine.until((text) => text.endsWith('abc')).then(() => engine.send(ok('done')));
  });
  const client = scripted
    .connect()
    .send('POST /build HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n');
  await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
  client.send('abc');
  await client.until((text) => text.endsWith('done'));
  client.socket.destroy();
});

test('a pipelining client is read ahead only to a limit, and answered in order', async () => {
  let engine: RawClient | undefined;
  await using scripted = await Scripted.start((socket) => {
    engine = socket;
  });
  const client = scripted.connect();
  const count = 1000;
  const request = get(`/${'x'.repeat(1000)}`);
  client.send(request.repeat(count));
  await client.until(() => engine?.text === request);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(engine?.text, request, 'the second waits for the first answer');
  assert.ok(client.socket.writableLength > 0, 'the client is held back');
  let bytes = request.length;
  let answered = 1;
  engine?.socket.on('data', (piece: Buffer) => {
    bytes += piece.length;
    for (; answered < Math.floor(bytes / request.length); answered++) engine?.send(ok('y'));
  });
  engine?.send(ok('y'));
  const all = ok('y').repeat(count);
  await client.until((text) => text.length === all.length);
  assert.equal(client.text, all);
  client.socket.destroy();
});

test("a handler gets the call, and its answers look like the engine's", async () => {
  const calls: Call[] = [];
  await using scripted = await Scripted.start(
    answering(
      '}',
      'HTTP/1.1 201 Made\r\nX-Odd-CASE: 1\r\nApi-Version: 1.41\r\nX-Odd-CASE: 2\r\nContent-Length: 6\r\n\r\n{"a":1',
    ),
    {
      create: async (call) => {
        calls.push(call);
        await call.body();
        return call.forward(Buffer.from('{"changed":1}'));
      },
      start: async () => {
        throw new Error('broken');
      },
    },
  );
  const client = scripted.connect();
  client.send(
    chunkedPost('http://d/v1.41/containers/create?name=n', '{}').replace(
      'Host',
      'Expect: 100-continue\r\nHost',
    ),
  );
  const text = await client.until((all) => all.endsWith('{"a":1'));
  assert.equal(
    text,
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nX-Odd-CASE: 1\r\nApi-Version: 1.41\r\nX-Odd-CASE: 2\r\nContent-Length: 6\r\n\r\n{"a":1',
  );
  assert.equal(calls[0]?.target, 'http://d/v1.41/containers/create?name=n');
  assert.equal(calls[0]?.route.query.get('name'), 'n');
  client.send(post('/containers/a/start', ''));
  assert.match(
    await client.until((all) => all.includes('broken')),
    /HTTP\/1\.1 500 Internal Server Error\r\n.*\{"message":"broken"\}\n$/s,
  );
  client.send(
    post('/containers/create', '').replace('Content-Length: 0', `Content-Length: ${17 * 1024 * 1024}`),
  );
  client.send(Buffer.alloc(17 * 1024 * 1024));
  await client.until((all) => /413 Payload Too Large\r\n.*\{"message":"the body/s.test(all));
  client.socket.destroy();
});

test('a body read late by its handler is what the client sent', async () => {
  const pieces = Array.from({ length: 20 }, (_, n) => Buffer.alloc(2000, 65 + n));
  let come = () => {};
  const all = new Promise<void>((resolve) => {
    come = resolve;
  });
  await using scripted = await Scripted.start(() => {}, {
    create: async (call) => {
      await all;
      return { status: 418, message: (await call.body()).toString() };
    },
  });
  const client = scripted.connect();
  client.send(post('/containers/create', '').replace('Content-Length: 0', 'Content-Length: 40000'));
  for (const piece of pieces) {
    client.send(piece);
    await delay(5);
  }
  come();
  const text = await client.until((answer) => answer.endsWith('}\n'));
  assert.equal(message(text), Buffer.concat(pieces).toString());
  client.socket.destroy();
});

test('an intercepted request reaches the engine whole, on its own connection', async () => {
  const seen: string[] = [];
  await using scripted = await Scripted.start(
    (engine) => {
      engine.socket.on('data', () => {
        if (!engine.text.endsWith('new body')) return;
        seen.push(engine.text);
        engine.send(ok('made'));
      });
      engine.socket.on('end', () => engine.socket.end());
    },
    { create: (call) => call.forward(Buffer.from('new body')) },
  );
  const client = scripted.connect().send(chunkedPost('/containers/create?name=x', '{}'));
  await client.until((text) => text.endsWith('made'));
  assert.match(seen[0] ?? '', /^POST \/containers\/create\?name=x HTTP\/1\.1\r\n/);
  assert.match(seen[0] ?? '', /content-length: 8\r\n/i);
  assert.doesNotMatch(seen[0] ?? '', /transfer-encoding|expect/i);
  await client.until(() => scripted.open === 1);
  client.socket.destroy();
});

test('a handler learns that the client has disconnected', async () => {
  let signal: AbortSignal | undefined;
  await using scripted = await Scripted.start(() => {}, {
    start: async (call) => {
      signal = call.signal;
      await new Promise((resolve) => call.signal.addEventListener('abort', resolve, { once: true }));
      return { status: 500, message: 'given up' };
    },
  });
  const gone = scripted.connect().send(post('/containers/a/start', ''));
  await gone.until(() => signal !== undefined);
  gone.socket.destroy();
  await gone.until(() => signal?.aborted ?? false);
  // One that only ends its sending side looks the same, and gets the answer.
  const half = scripted.connect().send(post('/containers/a/start', ''));
  half.socket.end();
  await half.until((text) => text.includes('given up'));
});

test('an engine that closes without answering an intercepted call gives a 502', async () => {
  await using scripted = await Scripted.start(
    (engine) => void engine.socket.on('data', () => engine.socket.destroy()),
    { create: (call) => call.forward() },
  );
  const client = scripted.connect().send(post('/containers/create', '{}'));
  const text = await client.until((all) => all.includes('}'));
  assert.match(text, /^HTTP\/1\.1 502 /);
  client.socket.destroy();
});

test('an intercepted answer that the engine cuts short is cut short for the client', async () => {
  await using scripted = await Scripted.start(
    (engine) => {
      engine.socket.on('data', () => {
        engine.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc');
      });
    },
    { inspect: (call) => call.forward() },
  );
  const client = scripted.connect().send(get('/containers/a/json'));
  const text = await client.until((_, { ended }) => ended);
  assert.match(text, /^HTTP\/1\.1 200 OK\r\nContent-Length: 100\r\n\r\n(abc)?$/);
  client.socket.destroy();
});

test('HTTP/1.0 and Connection: close end after the answer, intercepted or not', async () => {
  await using scripted = await Scripted.start(
    (engine) => {
      engine.socket.once('data', () => {
        const chunks = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
        if (engine.text.includes('/json')) engine.send(chunks);
        else engine.socket.end(ok('abc'));
      });
    },
    { inspect: (call) => call.forward() },
  );
  for (const path of ['/x', '/containers/a/json']) {
    for (const head of [
      `GET ${path} HTTP/1.0\r\n\r\n`,
      `GET ${path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n`,
    ]) {
      const client = scripted.connect().send(head);
      const text = await client.until((_, { ended }) => ended);
      if (head.includes('1.0')) assert.match(text, /\r\n\r\nabc$/);
      else assert.match(text, /abc/);
      client.socket.destroy();
    }
  }
});

test('closing waits for pending answers, but no longer than the grace period', async () => {
  const engines: RawClient[] = [];
  await using scripted = await Scripted.start((engine) => void engines.push(engine));
  const idle = scripted.connect();
  const slow = scripted.connect().send(get('/slow'));
  const stuck = scripted.connect().send(get('/stuck'));
  const asked = (path: string) => engines.find(({ text }) => text.includes(path));
  await idle.until(() => engines.length === 3 && Boolean(asked('/slow') && asked('/stuck')));
  const grace = new AbortController();
  const closed = scripted.proxy.close(grace.signal);
  await idle.until((_, { ended }) => ended);
  asked('/slow')?.send(ok('slow'));
  assert.equal(await slow.until((_, { ended }) => ended), ok('slow'));
  assert.equal(stuck.ended, false);
  grace.abort();
  for (const client of [idle, slow, stuck]) client.socket.end();
  await stuck.until((_, { ended }) => ended);
  await closed;
});
