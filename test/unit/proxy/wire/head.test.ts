import assert from 'node:assert/strict';
import test from 'node:test';
import { hasCode } from '../../../../src/lib/errors.ts';
import { HeadReader, maxHead, parseRequest, parseResponse } from '../../../../src/proxy/wire/head.ts';

const bad = (error: unknown) => hasCode(error, 'BAD_REQUEST');
const request = (text: string) => parseRequest(Buffer.from(text, 'latin1'));
const lines = (...all: string[]) => request(`${all.join('\r\n')}\r\n\r\n`);

test('frames a request by its length, by chunks or as empty', () => {
  assert.deepEqual(lines('GET /a?b HTTP/1.1', 'Host: x'), {
    method: 'GET',
    target: '/a?b',
    framing: 0,
    upgrade: false,
    expects: false,
    last: false,
  });
  const framing = (...fields: string[]) => {
    const head = lines('POST / HTTP/1.1', ...fields);
    return head === 'http2' ? head : head.framing;
  };
  assert.equal(framing('content-LENGTH:  12\t'), 12);
  assert.equal(framing('Content-Length: 12', 'Content-Length: 12'), 12);
  assert.equal(framing('Content-Length: 0'), 0);
  assert.equal(framing('Transfer-Encoding: Chunked'), 'chunked');
  assert.equal(framing('X-Content-Length: 12', 'Empty:'), 0);
});

test('sees an upgrade in Connection', () => {
  const upgrade = (...fields: string[]) => {
    const head = lines('GET / HTTP/1.1', ...fields);
    return head !== 'http2' && head.upgrade;
  };
  assert.equal(upgrade('Connection: Upgrade', 'Upgrade: tcp'), true);
  assert.equal(upgrade('connection: keep-alive, upgrade'), true);
  assert.equal(upgrade('Connection: keep-alive', 'Connection: UPGRADE'), true);
  assert.equal(upgrade('Upgrade: tcp'), false);
});

test('sees when no request follows', () => {
  const last = (...all: string[]) => {
    const head = lines(...all);
    return head !== 'http2' && head.last;
  };
  assert.equal(last('GET / HTTP/1.1', 'Connection: keep-alive'), false);
  assert.equal(last('GET / HTTP/1.1', 'Connection: Close'), true);
  assert.equal(last('GET / HTTP/1.1', 'Connection: close', 'Connection: keep-alive'), true);
  assert.equal(last('GET / HTTP/1.0'), true);
  assert.equal(last('GET / HTTP/1.0', 'Connection: Keep-Alive'), false);
});

test('knows the preface of HTTP/2', () => {
  assert.equal(request('PRI * HTTP/2.0\r\n\r\n'), 'http2');
});

test('ambiguous heads are refused', () => {
  for (const [what, ...head] of [
    ['two lengths', 'POST / HTTP/1.1', 'Content-Length: 1', 'Content-Length: 2'],
    ['a list of lengths', 'POST / HTTP/1.1', 'Content-Length: 1, 1'],
    ['a signed length', 'POST / HTTP/1.1', 'Content-Length: +1'],
    ['a hexadecimal length', 'POST / HTTP/1.1', 'Content-Length: 0x1'],
    ['an empty length', 'POST / HTTP/1.1', 'Content-Length:'],
    ['a huge length', 'POST / HTTP/1.1', 'Content-Length: 9007199254740993'],
    ['a length after a blank that is none', 'POST / HTTP/1.1', 'Content-Length: \xa01'],
    ['length and chunks', 'POST / HTTP/1.1', 'Content-Length: 1', 'Transfer-Encoding: chunked'],
    ['chunks and length', 'POST / HTTP/1.1', 'Transfer-Encoding: chunked', 'Content-Length: 1'],
    ['chunks twice', 'POST / HTTP/1.1', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['a list of encodings', 'POST / HTTP/1.1', 'Transfer-Encoding: gzip, chunked'],
    ['identity', 'POST / HTTP/1.1', 'Transfer-Encoding: identity'],
    ['chunks in HTTP/1.0', 'POST / HTTP/1.0', 'Transfer-Encoding: chunked'],
    ['two hosts', 'GET / HTTP/1.1', 'Host: a', 'Host: a'],
    ['a host that is none', 'GET / HTTP/1.1', 'Host: a/b'],
    ['an expectation of its own', 'GET / HTTP/1.0', 'Expect: x'],
    ['a folded line', 'POST / HTTP/1.1', 'X: a', ' b'],
    ['a folded first line', 'POST / HTTP/1.1', '\tX: a'],
    ['space before the colon', 'POST / HTTP/1.1', 'Content-Length : 1'],
    ['no colon', 'POST / HTTP/1.1', 'Content-Length'],
    ['no name', 'POST / HTTP/1.1', ': 1'],
    ['NUL in a value', 'POST / HTTP/1.1', 'X: a\0b'],
    ['NUL in a name', 'POST / HTTP/1.1', 'X\0: a'],
    ['CR in a value', 'POST / HTTP/1.1', 'X: a\rContent-Length: 1'],
    ['a line of CR', 'POST / HTTP/1.1', 'X: a\r', 'Y: b'],
    ['two spaces', 'POST  / HTTP/1.1'],
    ['space in the target', 'POST /a b HTTP/1.1'],
    ['a tab', 'POST\t/ HTTP/1.1'],
    ['no version', 'POST /'],
    ['HTTP/1.2', 'POST / HTTP/1.2'],
    ['HTTP/2.0', 'POST / HTTP/2.0'],
    ['lower case', 'POST / http/1.1'],
    ['a bad method', 'PO(ST / HTTP/1.1'],
    ['NUL in the target', 'POST /\0 HTTP/1.1'],
    ['a preface with fields', 'PRI * HTTP/2.0', 'X: y'],
  ] as const) {
    assert.throws(() => lines(...head), bad, what);
  }
});

test('takes a head in any pieces, and not one byte more', () => {
  const text = Buffer.from('\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nrest');
  for (let piece = 1; piece <= text.length; piece++) {
    const reader = new HeadReader();
    let at = 0;
    let found: ReturnType<HeadReader['take']>;
    while (!found) {
      const part = text.subarray(at, at + piece);
      found = reader.take(part);
      at += found ? found.taken : part.length;
    }
    assert.equal(found.head.toString(), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', `pieces of ${piece}`);
    assert.equal(text.subarray(at).toString(), 'rest', `pieces of ${piece}`);
  }
});

test('a bare LF is refused at once, wherever the pieces are cut', () => {
  for (const text of [
    'GET / HTTP/1.1\n',
    '\n',
    'GET / HTTP/1.1\r\nX: y\n\r\n',
    'GET / HTTP/1.1\r\n\n',
    '\r\n\n',
  ]) {
    for (let cut = 0; cut <= text.length; cut++) {
      const reader = new HeadReader();
      assert.throws(
        () => [text.slice(0, cut), text.slice(cut)].forEach((part) => void reader.take(Buffer.from(part))),
        bad,
        JSON.stringify([text, cut]),
      );
    }
  }
});

test('a head of 1 MiB is accepted, a longer one refused before its end', () => {
  const start = 'GET / HTTP/1.1\r\nX: ';
  const largest = Buffer.from(`${start.padEnd(maxHead - 4, 'x')}\r\n\r\n`);
  assert.equal(new HeadReader().take(largest)?.head.length, maxHead);
  assert.throws(() => new HeadReader().take(Buffer.from(start.padEnd(maxHead + 1, 'x'))), bad);
  assert.throws(() => new HeadReader().take(Buffer.from(`${start.padEnd(maxHead, 'x')}\r\n\r\n`)), bad);
  const began = performance.now();
  request(`${start}${' '.repeat(maxHead / 2)}x\r\n\r\n`);
  assert.ok(performance.now() - began < 30_000, 'long runs of blanks are read in linear time');
});

test("frames an answer by HTTP's rules", () => {
  const framing = (method: string, ...all: string[]) =>
    parseResponse(Buffer.from(`${all.join('\r\n')}\r\n\r\n`), method).framing;
  assert.equal(framing('GET', 'HTTP/1.1 200 OK', 'Content-Length: 3'), 3);
  assert.equal(framing('GET', 'HTTP/1.1 200 OK', 'transfer-encoding: chunked'), 'chunked');
  assert.equal(framing('GET', 'HTTP/1.1 200 OK', 'Content-Type: application/json'), 'close');
  assert.equal(framing('HEAD', 'HTTP/1.1 200 OK', 'Content-Length: 3'), 0);
  assert.equal(framing('POST', 'HTTP/1.1 204 No Content'), 0);
  assert.equal(framing('GET', 'HTTP/1.1 304 Not Modified', 'Content-Length: 3'), 0);
  assert.equal(framing('POST', 'HTTP/1.1 100 Continue'), 0);
  assert.equal(parseResponse(Buffer.from('HTTP/1.1 101 UPGRADED\r\n\r\n'), 'POST').status, 101);
  assert.equal(parseResponse(Buffer.from('HTTP/1.0 200\r\n\r\n'), 'GET').framing, 'close');
  assert.throws(() => parseResponse(Buffer.from('ICY 200 OK\r\n\r\n'), 'GET'));
});
