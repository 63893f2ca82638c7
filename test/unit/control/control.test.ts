import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ControlClient } from '../../../src/control/client.ts';
import {
  ControlServer,
  type ControlServerOptions,
  type OperationHandlers,
} from '../../../src/control/server.ts';
import { hasCode, WeaveError } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { until } from '../../support/until.ts';

/** A server whose operations fail except those given, and the path of its socket. */
async function serve(
  t: TestContext,
  handlers: Partial<OperationHandlers>,
  options: Partial<ControlServerOptions> = {},
): Promise<{ server: ControlServer; path: string }> {
  const path = join(await folder(t), 'control.sock');
  const server = await ControlServer.listen(path, handlers as OperationHandlers, {
    logger: silent,
    ...options,
  });
  t.after(() => server.close());
  return { server, path };
}

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'control-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

function post(
  path: string,
  url: string,
  body: string,
  method = 'POST',
): Promise<{ status?: number; body: string; connection?: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: path, path: url, method }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      const { connection } = response.headers;
      response.on('end', () => resolve({ status: response.statusCode, body: text, connection }));
    });
    call.on('error', reject);
    call.end(body);
  });
}

const pong = { pid: 1, version: '0', ready: true };

test('an operation takes input and returns output', async (t) => {
  const { path } = await serve(t, {
    dnsLookup: async ({ name }) => ({ addresses: [`address of ${name}`] }),
  });
  const answer = await new ControlClient(path).call('dnsLookup', { name: 'bbox1' });
  assert.deepEqual(answer, { addresses: ['address of bbox1'] });
});

test('an error keeps its code and message', async (t) => {
  const { path } = await serve(t, {
    hide: async () => {
      throw new WeaveError('IPAM_CONFLICT', '10.32.0.1 belongs to another');
    },
    prime: async () => {
      throw new TypeError('a bug');
    },
  });
  const client = new ControlClient(path);
  await assert.rejects(client.call('hide', { requests: [] }), {
    name: 'WeaveError',
    code: 'IPAM_CONFLICT',
    message: '10.32.0.1 belongs to another',
  });
  await assert.rejects(client.call('prime', {}), { code: 'INTERNAL', message: 'a bug' });
});

test('only root may open the socket', async (t) => {
  const { path } = await serve(t, {});
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('without a daemon, a call says how to start it', async (t) => {
  const client = new ControlClient(join(await folder(t), 'none.sock'));
  await assert.rejects(client.call('ping', {}), {
    code: 'NOT_RUNNING',
    message: 'weavets is not running; start it with: weavets launch',
  });
});

test('a user who may not open the socket is told so', async (t) => {
  const { path } = await serve(t, { ping: async () => pong });
  await chmod(join(path, '..'), 0o755);
  const script = `
    const { ControlClient } = await import(${JSON.stringify(new URL('../../../src/control/client.ts', import.meta.url).href)});
    process.setuid(65534);
    await new ControlClient(${JSON.stringify(path)}).call('ping', {}).catch((error) => console.log(error.code));`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.pipe(process.stderr);
  await once(child, 'close');
  assert.equal(out, 'NOT_ROOT\n');
});

test('a second server is refused, and the first keeps working', async (t) => {
  const { path } = await serve(t, { ping: async () => pong });
  await assert.rejects(ControlServer.listen(path, {} as OperationHandlers, { logger: silent }), {
    code: 'ALREADY_RUNNING',
  });
  assert.deepEqual(await new ControlClient(path).call('ping', {}), pong);
});

test('the socket of a daemon that was killed is replaced', async (t) => {
  const path = join(await folder(t), 'control.sock');
  const child = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  await once(child, 'close');
  assert.ok((await stat(path)).isSocket());
  const server = await ControlServer.listen(
    path,
    { ping: async () => pong } as unknown as OperationHandlers,
    {
      logger: silent,
    },
  );
  t.after(() => server.close());
  assert.deepEqual(await new ControlClient(path).call('ping', {}), pong);
});

test('a file in the way is not removed', async (t) => {
  const path = join(await folder(t), 'control.sock');
  await writeFile(path, 'precious');
  await assert.rejects(ControlServer.listen(path, {} as OperationHandlers, { logger: silent }), {
    code: 'LAUNCH_FAILED',
  });
  assert.ok((await stat(path)).isFile());
});

test('malformed requests are refused, and the server keeps working', async (t) => {
  const { path } = await serve(t, { ping: async () => pong, ps: async () => [] });
  const cases: [url: string, body: string, status: number, code: string][] = [
    ['/op/ps', '{"containers":"all"}', 400, 'BAD_REQUEST'],
    ['/op/ps', '{"containers":[1]}', 400, 'BAD_REQUEST'],
    ['/op/ps', '{}', 400, 'BAD_REQUEST'],
    ['/op/ps', '[]', 400, 'BAD_REQUEST'],
    ['/op/ps', 'null', 400, 'BAD_REQUEST'],
    ['/op/ps', '{', 400, 'BAD_REQUEST'],
    ['/op/', '{}', 400, 'BAD_REQUEST'],
    ['/op/constructor', '{}', 400, 'BAD_REQUEST'],
    ['/op/__proto__', '{}', 400, 'BAD_REQUEST'],
    ['/elsewhere', '', 404, 'BAD_REQUEST'],
    ['/op/ping', `{"x":"${'y'.repeat(2 ** 21)}"}`, 413, 'BODY_TOO_LARGE'],
  ];
  for (const [url, body, status, code] of cases) {
    const answer = await post(path, url, body);
    assert.deepEqual(
      [answer.status, JSON.parse(answer.body).code],
      [status, code],
      `${url} ${body.slice(0, 40)}`,
    );
  }
  assert.equal((await post(path, '/op/ping', '', 'GET')).status, 400);
  const socket = connect(path).end('not http\r\n\r\n');
  await once(socket.resume(), 'close');
  assert.deepEqual(await new ControlClient(path).call('ping', {}), pong);
});

test('the fallback answers every other path', async (t) => {
  const { path } = await serve(t, {}, { fallback: (call, response) => response.end(`at ${call.url}`) });
  const { status, body } = await post(path, '/report', '', 'GET');
  assert.deepEqual([status, body], [200, 'at /report']);
});

test('a client that disconnects aborts its operation', async (t) => {
  const events = new EventEmitter();
  const began = once(events, 'began');
  const aborted = once(events, 'aborted');
  const { path } = await serve(t, {
    prime: async (_input, signal) => {
      events.emit('began');
      await once(signal, 'abort');
      events.emit('aborted');
      return {};
    },
  });
  const gone = new AbortController();
  const call = new ControlClient(path).call('prime', {}, { signal: gone.signal });
  await began;
  gone.abort(new Error('enough'));
  await assert.rejects(call, { message: 'enough' });
  await aborted;
});

test('close answers pending operations', async (t) => {
  let begun = 0;
  const { server, path } = await serve(t, {
    prime: async (_input, signal) => {
      begun++;
      if (!signal.aborted) await once(signal, 'abort');
      throw signal.reason;
    },
  });
  const call = new ControlClient(path).call('prime', {});
  // Would keep its connection open, if it might, and so hold up the end.
  const other = post(path, '/op/prime', '{}');
  await until('both are under way', () => begun === 2);
  await Promise.all([server.close(), assert.rejects(call, { code: 'NOT_RUNNING' })]);
  const { status, connection } = await other;
  assert.deepEqual([status, connection], [500, 'close']);
  await assert.rejects(stat(path), { code: 'ENOENT' });
});

test('a hung daemon is distinguished from one that does not run', async (t) => {
  const { path } = await serve(t, { prime: () => new Promise(() => {}) });
  await assert.rejects(new ControlClient(path).call('prime', {}, { timeoutMs: 50 }), (error) => {
    return hasCode(error, 'INTERNAL') && /did not answer 'prime' within 50 ms/.test(error.message);
  });
});
