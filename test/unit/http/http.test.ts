import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ourHosts, refusal } from '../../../src/http/guard.ts';
import { HttpServer, splitAddress } from '../../../src/http/listen.ts';
import { type Routes, serveRoutes } from '../../../src/http/router.ts';
import { type ApiDeps, startApiServer } from '../../../src/http/routes/weave.ts';
import { WeaveError } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { isLoopback } from '../../../src/model/endpoint.ts';

test('which Host headers are accepted', () => {
  const cases: [ip: string | undefined, name: string, ours: boolean][] = [
    [undefined, 'localhost', true],
    [undefined, 'unix', true],
    [undefined, '10.0.0.1', false],
    ['127.0.0.1', '[::1]', true],
    ['127.0.0.9', '127.0.0.9', true],
    ['127.0.0.1', '127.0.0.9', false],
    ['127.0.0.1', 'evil.example', false],
    ['0.0.0.0', '10.0.0.1', true],
    ['0.0.0.0', '[fd00::1]', true],
    ['10.0.0.1', 'evil.example', false],
    ['10.0.0.1', '', false],
  ];
  for (const [ip, name, ours] of cases) assert.equal(ourHosts(ip)(name), ours, `${name} at ${ip}`);
  assert.deepEqual(['127.1.2.3', '::1', '0.0.0.0', '::'].map(isLoopback), [true, true, false, false]);
});

test('requests from foreign pages are refused, those from programs and our own pages are not', () => {
  const host = 'localhost:6784';
  const refused = [
    {},
    { host: '' },
    { host: 'localhost@evil.example' },
    { host: 'evil.example' },
    { host: 'localhost:1:2' },
    { host, origin: 'https://localhost:6784' },
    { host, origin: 'http://localhost:6783' },
    { host, origin: 'null' },
    { host, origin: '' },
    { host, 'sec-fetch-site': 'cross-site' },
  ];
  for (const headers of refused) assert.ok(refusal(headers, ourHosts()), JSON.stringify(headers));
  const welcome = [
    { host },
    { host: 'LOCALHOST' },
    { host, origin: 'http://localhost:6784', 'sec-fetch-site': 'same-origin' },
    { host, 'sec-fetch-site': 'none' },
  ];
  for (const headers of welcome)
    assert.equal(refusal(headers, ourHosts()), undefined, JSON.stringify(headers));
});

test('addresses are split into host and port', () => {
  assert.deepEqual(splitAddress('127.0.0.1:6784'), { host: '127.0.0.1', port: 6784 });
  assert.deepEqual(splitAddress('[::1]:6784'), { host: '::1', port: 6784 });
});

/** An address of loopback that nobody else has, below the ports that the kernel gives away. */
const ip = `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
let nextPort = 12_379;

async function serve(t: TestContext, routes: Routes): Promise<string> {
  const address = `${ip}:${nextPort++}`;
  const listener = serveRoutes(routes, { isOurHost: ourHosts(ip), logger: silent });
  const server = await HttpServer.listen(address, '--x', listener);
  t.after(() => server.close());
  return `http://${address}`;
}

test('paths are split as intended', async (t) => {
  const echo = ({ path, parameters }: Parameters<NonNullable<Routes[string]['GET']>>[0]) => ({
    text: `${path.id} ${path.cidr} ${parameters}`,
  });
  const url = await serve(t, { '/ip/:id': { GET: echo }, '/ip/:id/:cidr': { GET: echo, PUT: echo } });
  const get = async (path: string, init?: RequestInit) => {
    const reply = await fetch(`${url}${path}`, init);
    return `${reply.status} ${(await reply.text()).trim()}`;
  };
  assert.equal(await get('/ip/weave:expose'), '200 weave:expose');
  assert.equal(await get('/ip/a/10.0.0.0/8'), '200 a 10.0.0.0/8');
  assert.equal(await get('/ip/a%2Fb/10.0.0.0%2F8?x=1&y=%20'), '200 a/b 10.0.0.0/8 x=1&y=+');
  const form = new URLSearchParams({ y: '2' });
  assert.equal(await get('/ip/a/b?x=1', { method: 'PUT', body: form }), '200 a b x=1&y=2');
  for (const path of ['/ip', '/ip/', '/ip/a/b/c', '/ip/a/10.0.0.0/8/9', '/IP/a', '//ip/a', '/constructor']) {
    assert.match(await get(path), /^404 there is nothing at/, path);
  }
  assert.equal(await get('/ip/a', { method: 'PUT' }), '405 /ip/a takes GET, HEAD');
});

test('an error has the status of its code; a bug is 500', async (t) => {
  const fail = (error: Error) => ({ GET: () => Promise.reject(error) });
  const url = await serve(t, {
    '/full': fail(new WeaveError('IPAM_FULL', 'no free address')),
    '/conflict': fail(new WeaveError('IPAM_CONFLICT', 'taken')),
    '/bad': fail(new WeaveError('BAD_ADDRESS', 'what')),
    '/none': fail(new WeaveError('NO_SUCH_CONTAINER', 'who')),
    '/fault': fail(new TypeError('oops')),
  });
  const statuses = await Promise.all(
    ['full', 'conflict', 'bad', 'none', 'fault'].map(async (path) => (await fetch(`${url}/${path}`)).status),
  );
  assert.deepEqual(statuses, [503, 409, 400, 404, 500]);
  assert.equal(await (await fetch(`${url}/full`)).text(), 'no free address\n');
});

test('close ends idle client connections', { timeout: 60_000 }, async () => {
  const port = nextPort++;
  const server = await HttpServer.listen(
    `${ip}:${port}`,
    '--x',
    serveRoutes({}, { isOurHost: () => true, logger: silent }),
  );
  const client = connect(port, ip);
  await once(client, 'connect');
  const gone = once(client, 'close');
  await server.close();
  await gone;
});

test('the API is not open to other hosts by default; a busy address names its flag', async (t) => {
  const parts = {} as ApiDeps;
  for (const address of ['0.0.0.0:6784', '10.0.0.1:6784', '[::]:6784']) {
    await assert.rejects(startApiServer({ address, allowInsecureTcp: false }, parts, silent), {
      code: 'INSECURE_TCP',
    });
  }
  const address = (await serve(t, {})).slice('http://'.length);
  await assert.rejects(startApiServer({ address, allowInsecureTcp: false }, parts, silent), {
    code: 'ADDRESS_IN_USE',
    message: /--http-addr or WEAVE_HTTP_ADDR/,
  });
});
