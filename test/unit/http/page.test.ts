import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { EventClients } from '../../../src/http/event-clients.ts';
import { ourHosts } from '../../../src/http/guard.ts';
import { PageFiles } from '../../../src/http/page-files.ts';
import { serveRoutes } from '../../../src/http/router.ts';
import { pageRoutes } from '../../../src/http/routes/page.ts';
import { silent } from '../../../src/lib/log.ts';
import type { NetworkView } from '../../../src/report/network.ts';
import { until } from '../../support/until.ts';

const view = { sequence: 7, hosts: [], containers: [] } as unknown as NetworkView;

/** The page's routes, served as the status address has them. @returns the port */
async function serve(t: TestContext, clients = new EventClients()): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'weavets-page-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of ['index.html', 'main.js']) {
    await writeFile(join(folder, name), name.repeat(100));
    await writeFile(join(folder, `${name}.gz`), gzipSync(name.repeat(100)));
  }
  const history = (subject: string) =>
    [{ subject }] as unknown as ReturnType<Parameters<typeof pageRoutes>[0]['history']>;
  const routes = pageRoutes({
    view: async () => view,
    history,
    begin: () => ({ sequence: 7 }),
    clients,
    files: new PageFiles(folder),
  });
  const server = createServer(serveRoutes(routes, { isOurHost: ourHosts('127.0.0.1'), logger: silent }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

interface Reply {
  status: number | undefined;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

async function ask(
  port: number,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Reply> {
  const request = get({ port, host: '127.0.0.1', path, headers, method, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks = await response.toArray();
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

/** Follows the events. @returns what has come so far, as it grows */
async function follow(t: TestContext, port: number) {
  const request = get({ port, host: '127.0.0.1', path: '/network/events', agent: false });
  t.after(() => request.destroy());
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const seen = { text: '', status: response.statusCode, ended: false, response };
  response.setEncoding('utf8').on('data', (text) => (seen.text += text));
  response.on('error', () => {}).on('close', () => (seen.ended = true));
  return seen;
}

test('the page is compressed for clients that accept it, under a policy that allows nothing foreign', async (t) => {
  const port = await serve(t);
  const plain = await ask(port, '/');
  assert.equal(plain.body.toString(), 'index.html'.repeat(100));
  assert.equal(plain.headers['content-encoding'], undefined);
  const packed = await ask(port, '/page/main.js', { 'Accept-Encoding': 'deflate, gzip;q=1.0' });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.equal(packed.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.equal(gunzipSync(packed.body).toString(), 'main.js'.repeat(100));
  const policy = String(plain.headers['content-security-policy']);
  for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy.split('; ').includes(rule), policy);
  }
  assert.doesNotMatch(policy, /unsafe|\*|http/);
  assert.equal(plain.headers['x-content-type-options'], 'nosniff');
});

test("only the page's own files are served", async (t) => {
  const port = await serve(t);
  for (const path of [
    '/page/none.js',
    '/page/..%2fmain.js',
    '/page/main.js.gz',
    '/page/__proto__',
    '/page/',
  ]) {
    assert.equal((await ask(port, path)).status, 404, path);
  }
  assert.equal((await ask(port, '/page/main.js', {}, 'POST')).status, 405);
});

test('foreign pages, and requests under a foreign host name, read nothing', async (t) => {
  const port = await serve(t);
  for (const path of ['/', '/network', '/network/events', '/network/history/x', '/page/main.js']) {
    for (const headers of [
      { Host: 'evil.example' },
      { Origin: 'http://evil.example' },
      { 'Sec-Fetch-Site': 'cross-site' },
    ]) {
      assert.equal((await ask(port, path, headers as unknown as Record<string, string>)).status, 403, path);
    }
  }
  const own = {
    Host: `localhost:${port}`,
    Origin: `http://localhost:${port}`,
    'Sec-Fetch-Site': 'same-origin',
  };
  assert.deepEqual(JSON.parse((await ask(port, '/network', own)).body.toString()), view);
  assert.deepEqual(JSON.parse((await ask(port, '/network/history/weave%3Aexpose')).body.toString()), [
    { subject: 'weave:expose' },
  ]);
});

test('a follower is told first where it starts, then each change', async (t) => {
  const clients = new EventClients({ pulse: 5 });
  const port = await serve(t, clients);
  const [one, other] = [await follow(t, port), await follow(t, port)];
  assert.equal(one.response.headers['content-type'], 'text/event-stream');
  clients.publish('change', { text: 'two\nlines' });
  const expected = 'event: hello\ndata: {"sequence":7}\n\nevent: change\ndata: {"text":"two\\nlines"}\n\n';
  await until('both were told', () =>
    [one, other].every(({ text }) => text.replaceAll(':\n\n', '') === expected),
  );
  await until('there are signs of life', () => one.text.includes('\n\n:\n\n'));
  one.response.destroy();
  await until('one is gone', () => clients.size === 1);
});

test('a HEAD request for the events ends', async (t) => {
  const clients = new EventClients();
  const port = await serve(t, clients);
  const { status, headers } = await ask(port, '/network/events', {}, 'HEAD');
  assert.deepEqual([status, headers['content-type'], clients.size], [200, 'text/event-stream', 0]);
});

test('one client too many is refused, and accepted once another has gone', async (t) => {
  const clients = new EventClients({ clients: 2 });
  const port = await serve(t, clients);
  const [one] = [await follow(t, port), await follow(t, port)];
  assert.equal((await follow(t, port)).status, 503);
  one.response.destroy();
  await until('it is gone', () => clients.size === 1);
  assert.equal((await follow(t, port)).status, 200);
});

test('a client that does not read is dropped, and holds up no other', async (t) => {
  const clients = new EventClients({ queue: 100_000 });
  const port = await serve(t, clients);
  const [slow, quick] = [await follow(t, port), await follow(t, port)];
  slow.response.pause();
  // More than the kernel's buffers take.
  const much = 'x'.repeat(50_000);
  for (let round = 0; round < 2_000 && clients.size === 2; round++) {
    clients.publish('change', much);
    await new Promise(setImmediate);
  }
  assert.equal(clients.size, 1);
  clients.publish('change', 'last');
  await until('the other has all', () => quick.text.endsWith('data: "last"\n\n'));
});
