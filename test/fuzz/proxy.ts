import assert from 'node:assert/strict';
import { connect } from 'node:net';
import fc from 'fast-check';
import { type FuzzOptions, runs } from './target.ts';

/** Sockets of the engine, and of the proxy before it. */
export interface ProxySockets {
  proxy: string;
  engine: string;
}

/** Placeholder for the request's own mark, which its answer names. */
const mark = '@@';

/** Requests whose refusal tells whose it is; nothing is ever made. Those that the proxy reads and changes are among them. */
const lines: [method: string, path: string, body?: string][] = [
  ['GET', `/containers/${mark}/json`],
  ['GET', `/v1.41/containers/${mark}/json?size=1`],
  ['GET', `/containers/${mark}/top`],
  ['GET', `/images/${mark}/json`],
  ['POST', `/containers/${mark}/start`],
  ['POST', `/v1.51/containers/${mark}/restart?t=1`],
  ['POST', `/containers/${mark}/start`, '{}'],
  ['POST', `/containers/${mark}/exec`, '{"Cmd":["true"]}'],
  ['POST', `/containers/${mark}/rename?name=x`],
  ['POST', '/containers/create', `{"Image":"${mark}:none","Cmd":["sh"]}`],
  [
    'POST',
    `/v1.44/containers/create?name=${mark}`,
    `{"Image":"${mark}:none","Env":["WEAVE_CIDR=10.2.1.1/24"]}`,
  ],
  ['POST', '/containers/create', `{"Image":"${mark}:none","HostConfig":{"Binds":["/a:/w"]}}`],
  ['POST', `/commit?container=${mark}`, '{}'],
  ['DELETE', `/containers/${mark}`],
  ['PUT', `/containers/${mark}/archive?path=/`, 'not a tar'],
];

const odd = fc.constantFrom(
  ...[
    'Content-Length: 0',
    'Content-Length: 5',
    'Content-Length: +3',
    'Content-Length: 3, 3',
    'Content-Length: -1',
  ],
  ...[
    'Content-Length: 0x5',
    'content-length:7',
    'Content-Length : 4',
    'Content-Length:',
    'Content-Length: 99999999999999999999',
  ],
  ...['Transfer-Encoding: chunked', 'Transfer-Encoding: identity', 'Transfer-Encoding: gzip, chunked'],
  ...['transfer-encoding:\tchunked', 'Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: xchunked'],
  ...['Transfer-Encoding : chunked', 'Transfer-Encoding: "chunked"', 'Transfer-Encoding:\x0bchunked'],
  ...[
    'Connection: keep-alive',
    'Connection: Content-Length',
    'Connection: close',
    'Connection: upgrade',
    'Upgrade: tcp',
  ],
  ...[
    'Expect: 100-continue',
    'Expect: x',
    'Host: other',
    'X-A: b',
    ' folded: yes',
    'X-A: b\r\n folded',
    'NoColon',
    ': empty',
  ],
  ...[
    'X-\u0000: a',
    'X-A: a\u0000b',
    'X-A: a\rb',
    'X-A: a\nX-B: c',
    'Content-Type: application/json',
    'Trailer: X-T',
  ],
);
const ends = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n');
const versions = fc.constantFrom(
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  '',
);
/** Bodies that a server which is out of step would take for a request. */
const smuggled = `GET /containers/smuggled-${mark}/json HTTP/1.1\r\nHost: x\r\n\r\n`;
const bodies = fc.constantFrom(
  ...[
    '',
    'hello',
    smuggled,
    `0\r\n\r\n${smuggled}`,
    `5\r\nhello\r\n0\r\n\r\n`,
    `5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\n`,
  ],
  ...[
    `05\r\nhello\r\n000\r\n\r\n`,
    `5\nhello\n0\n\n`,
    `-5\r\nhello\r\n0\r\n\r\n`,
    `0x5\r\nhello\r\n0\r\n\r\n`,
  ],
  ...[
    `FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n`,
    `5\r\nhello0\r\n\r\n`,
    `5 \r\nhello\r\n0\r\n\r\n`,
    `5\r\nhello\r\n0\r\n${smuggled}`,
  ],
);

interface Sketch {
  line: (typeof lines)[number];
  version: string;
  headers: string[];
  end: string;
  body: string | undefined;
}

/** Mostly well formed: too broken, each would just be refused. */
const sketches: fc.Arbitrary<Sketch> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      line: fc.constantFrom(...lines),
      version: fc.constant('HTTP/1.1'),
      headers: fc.constant<string[]>([]),
      end: fc.constant('\r\n'),
      body: fc.constant(undefined),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      line: fc.constantFrom(...lines),
      version: versions,
      headers: fc.array(odd, { maxLength: 3 }),
      end: ends,
      body: fc.oneof(fc.constant(undefined), bodies),
    }),
  },
);

function write({ line: [method, path, ownBody = ''], version, headers, end, body }: Sketch): string {
  const text = body ?? ownBody;
  const framed = headers.some((header) => /content-length|transfer-encoding/i.test(header));
  const length = framed || (text === '' && method === 'GET') ? [] : [`Content-Length: ${'#'}`];
  const type = ownBody === '' ? [] : ['Content-Type: application/json'];
  return `${[`${method} ${path} ${version}`, 'Host: docker', ...type, ...length, ...headers].join(end)}${end}${end}${text}`;
}

/** The text with its marks, and its length where that is left open. */
function complete(text: string, name: string): string {
  const marked = text.replaceAll(mark, name);
  const body = marked
    .slice(marked.search(/(\r\n\r\n|\n\n|\r\r\n\r\r\n|\r\r)/))
    .replace(/^(\r\r\n\r\r\n|\r\n\r\n|\n\n|\r\r)/, '');
  return marked.replace('Content-Length: #', `Content-Length: ${Buffer.byteLength(body)}`);
}

/**
 * Without what leaves it to a server whether it goes on: in HTTP/1.0 it may close after any answer, and after one that
 * it gives before it has read a body.
 */
function isPlain({ line, version, headers, body }: Sketch): boolean {
  if (version === 'HTTP/1.0') return !headers.includes('Connection: keep-alive');
  return !headers.includes('Expect: 100-continue') || (line[2] === undefined && body === undefined);
}

const connections = fc.array(sketches.filter(isPlain), { minLength: 1, maxLength: 4 });

let serial = 0;

/**
 * Sends the same bytes to the engine and to the proxy before it: what the proxy answers is what the engine does, or
 * 400; and no answer is another request's, be it of this connection or of one beside it.
 */
export async function fuzzProxy({ seed, count }: FuzzOptions, sockets: ProxySockets): Promise<void> {
  const side = 4;
  await fc.assert(
    fc.asyncProperty(fc.array(connections, { minLength: side, maxLength: side }), async (beside) => {
      await Promise.all(beside.map((sketched) => compare(sketched.map(write), sockets)));
    }),
    // Each try may wait for a body's end: to look for a shorter one would take hours.
    { ...runs({ seed, count: Math.ceil(count / side) }), endOnFailure: true },
  );
}

async function compare(texts: readonly string[], { proxy, engine }: ProxySockets): Promise<void> {
  const name = `fuzz${++serial}x`;
  const last = `GET /containers/${mark}/json HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n`;
  const bytes = [...texts, last].map((text, index) => complete(text, `${name}${index}x`)).join('');
  // The servers wait for an unfinished body; if the engine answers without our end, the proxy has time to do so too.
  const direct = await exchange(engine, bytes, 700);
  const proxied = await exchange(proxy, bytes, direct.cut === undefined ? 60_000 : 700);
  const said = JSON.stringify({ bytes, direct, proxied }, null, 1);
  for (const { foreign } of proxied.answers.map(({ body }) => ({ foreign: foreignTo(name, body) }))) {
    assert.equal(foreign, undefined, `another's answer: ${said}`);
  }
  // What is answered after our own end may be cut short, or be a complaint about it.
  const whole = Math.min(direct.cut ?? Number.POSITIVE_INFINITY, proxied.cut ?? Number.POSITIVE_INFINITY);
  for (const [index, answer] of proxied.answers.slice(0, whole).entries()) {
    if (answer.status === 400 && index === proxied.answers.length - 1) return;
    const wanted = direct.answers[index];
    assert.equal(answer.status, wanted?.status, said);
    assert.equal(marksOf(answer.body), marksOf(wanted?.body ?? ''), said);
  }
  if (direct.cut !== undefined) return;
  assert.equal(proxied.answers.length, direct.answers.length, said);
}

const marksOf = (body: string) => [...body.matchAll(/(?:smuggled-)?fuzz\d+x\d+x/g)].join();
const foreignTo = (name: string, body: string) =>
  [...body.matchAll(/fuzz\d+x/g)].map(String).find((found) => found !== name);

interface Answer {
  status: number;
  body: string;
}

/**
 * Sends all, and waits for the other side's end; one that says nothing for so many ms gets ours.
 * @returns cut: how many answers had come by then
 */
function exchange(
  path: string,
  bytes: string,
  patience: number,
): Promise<{ answers: Answer[]; cut?: number }> {
  return new Promise((resolve, reject) => {
    let received = '';
    let cut: number | undefined;
    const socket = connect({ path, allowHalfOpen: true });
    const give = () => {
      cut = parse(received).length;
      socket.end();
    };
    let timer = setTimeout(give, patience);
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      clearTimeout(timer);
      timer = setTimeout(give, patience);
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      try {
        resolve({ answers: parse(received), cut });
      } catch (error) {
        reject(error);
      }
    });
    socket.write(Buffer.from(bytes, 'latin1'));
  });
}

/** The answers in a stream of bytes; of none is the request HEAD. */
function parse(stream: string): Answer[] {
  const answers: Answer[] = [];
  let rest = stream;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) break;
    const head = rest.slice(0, end + 2);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
    assert.ok(status >= 100, `no answer of HTTP: ${JSON.stringify(rest.slice(0, 200))}`);
    rest = rest.slice(end + 4);
    if (status < 200) continue;
    const length = /^content-length: *(\d+)\r$/im.exec(head)?.[1];
    if (/^transfer-encoding: *chunked\r$/im.test(head)) {
      const [body, after] = unchunk(rest);
      answers.push({ status, body });
      rest = after;
    } else if (length !== undefined || status === 204 || status === 304) {
      answers.push({ status, body: rest.slice(0, Number(length ?? 0)) });
      rest = rest.slice(Number(length ?? 0));
    } else {
      answers.push({ status, body: rest });
      rest = '';
    }
  }
  return answers;
}

function unchunk(stream: string): [body: string, rest: string] {
  let body = '';
  let rest = stream;
  for (;;) {
    const line = rest.indexOf('\r\n');
    const size = Number.parseInt(rest, 16);
    if (line < 0 || Number.isNaN(size)) return [body, ''];
    body += rest.slice(line + 2, line + 2 + size);
    rest = rest.slice(line + 4 + size);
    if (size === 0) return [body, rest];
  }
}
