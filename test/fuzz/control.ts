import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ControlServer, type OperationHandlers } from '../../src/control/server.ts';
import { silent } from '../../src/lib/log.ts';
import { type FuzzOptions, runs } from './target.ts';

const operations = [
  'ping',
  'ps',
  'attach',
  'detach',
  'expose',
  'dnsAdd',
  'dnsLookup',
  'connect',
  'rmpeer',
] as const;
const paths = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...operations).map((name) => `/op/${name}`) },
  fc.constantFrom(
    '/op/',
    '/op/constructor',
    '/op/__proto__',
    '/op/%00',
    '/op/ping?x',
    '/',
    '/op/ping/..',
    '*',
  ),
);
const { values } = fc.letrec<{ values: unknown }>((tie) => ({
  values: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(null, true, 0, 'bbox1', '10.2.1.1/24', '', '__proto__'),
    fc.array(tie('values'), { maxLength: 3 }),
    fc
      .array(
        fc.tuple(
          fc.constantFrom(
            ...[
              'container',
              'requests',
              'rewriteHosts',
              'addHosts',
              'multicastRoute',
              'dns',
              'containers',
              'fqdn',
            ],
            ...['masquerade', 'ips', 'name', 'peers', 'replace', '__proto__'],
          ),
          tie('values'),
        ),
        { maxLength: 7 },
      )
      .map((entries) => Object.fromEntries(entries)),
  ),
}));
const bodies = fc.oneof(
  values.map((value) => JSON.stringify(value)),
  fc.string({ maxLength: 30, unit: 'binary' }),
);

/** Requests, whole and bent, and noise. */
const requests = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'DELETE', 'OPTIONS', 'M-SEARCH'),
        path: paths,
        body: bodies,
        off: fc.constantFrom(0, 0, 0, 1, -1),
      })
      .map(({ method, path, body, off }) => {
        const length = Math.max(0, Buffer.byteLength(body) + off);
        return Buffer.from(
          `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n${body}`,
        );
      }),
  },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  },
);

/** For any input, each connection ends with an HTTP answer or none, and the handlers see only typed input. */
export async function fuzzControl(options: FuzzOptions): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'weavets-'));
  const path = join(dir, 'control.sock');
  const bad: unknown[] = [];
  const handlers = new Proxy({} as OperationHandlers, {
    get: (_, operation: string) => async (input: Record<string, unknown>) => {
      for (const [field, value] of Object.entries(input)) {
        const typed =
          ['string', 'boolean', 'undefined'].includes(typeof value) || value === null || isTexts(value);
        if (!typed) bad.push([operation, field, value]);
      }
      return {};
    },
  });
  const server = await ControlServer.listen(path, handlers, { logger: silent });
  try {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const answer = await exchange(path, request);
        if (answer !== '') assert.match(answer, /^HTTP\/1\.1 [245]\d\d /);
        assert.doesNotMatch(answer, /"code":"INTERNAL"/);
        assert.deepEqual(bad, []);
      }),
      runs(options),
    );
    const last = await exchange(path, Buffer.from('POST /op/ping HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    assert.match(last, /^HTTP\/1\.1 200 /);
  } finally {
    await server.close();
    await rm(dir, { recursive: true });
  }
}

const isTexts = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string');

/** Sends it all, half-closes, and gives what came back until the other side closed. */
function exchange(path: string, request: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ path, allowHalfOpen: true });
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
    socket.on('end', () => socket.destroy());
    socket.end(request);
  });
}
