import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { hasCode } from '../../../../src/lib/errors.ts';
import { BodyScanner, type Framing } from '../../../../src/proxy/wire/framing.ts';

/** Feeds `text` in pieces of these sizes. @returns how much of it belongs to the body, or undefined if it goes on */
function end(framing: Framing, text: Buffer, sizes: readonly number[] = []): number | undefined {
  const scanner = new BodyScanner(framing);
  let at = 0;
  for (let turn = 0; at < text.length && !scanner.done; turn++) {
    const size = sizes.length === 0 ? text.length : (sizes[turn % sizes.length] ?? 1);
    const piece = text.subarray(at, at + size);
    const taken = scanner.take(piece);
    assert.ok(scanner.done || taken === piece.length);
    at += taken;
  }
  return scanner.done ? at : undefined;
}

const chunked = (text: string, sizes?: readonly number[]) =>
  end('chunked', Buffer.from(text, 'latin1'), sizes);

test('a body ends where its framing says', () => {
  assert.equal(end(0, Buffer.from('next')), 0);
  assert.equal(end(3, Buffer.from('abcnext')), 3);
  assert.equal(end(9, Buffer.from('abc')), undefined);
  assert.equal(end('close', Buffer.from('0\r\n\r\n')), undefined);
  assert.equal(chunked('3\r\nabc\r\n0\r\n\r\nnext'), 13);
  assert.equal(chunked('0\r\nA: b\r\nC: d\r\n\r\nnext'), 17);
  assert.equal(chunked('5;x=y\r\n0\r\n\r\n\r\n0\r\n\r\nnext'), 19);
  assert.equal(chunked('00A \r\n0123456789\r\n0\r\n\r\n'), 23);
});

test('broken chunks are refused, wherever the pieces are cut', () => {
  for (const text of [
    'x\r\n',
    '\r\n',
    '0x3\r\nabc\r\n',
    '-1\r\n',
    '+3\r\nabc\r\n',
    ' 3\r\nabc\r\n',
    '3\nabc\r\n',
    '3\r\nabcd\r\n',
    '3\r\nabc\n0\r\n\r\n',
    '3\r\nabc\rx',
    '10000000000000000\r\n',
    '3 3\r\nabc\r\n',
    '3;\0\r\nabc\r\n',
    '3;a\rb\r\nabc\r\n',
    '0\r\nA: b\n\r\n',
    '0\r\n\n',
    `3;${'x'.repeat(10_000)}`,
    `0\r\n${'A: b\r\n'.repeat(20_000)}`,
  ]) {
    for (const sizes of [[], [1], [2], [3, 1]]) {
      assert.throws(
        () => chunked(text, sizes),
        (error) => hasCode(error, 'BAD_REQUEST'),
        JSON.stringify(text.slice(0, 40)),
      );
    }
  }
});

test('a chunked body ends in the same place, however it is cut', () => {
  const chunk = fc.tuple(
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
    fc.constantFrom('', ';a', ';a="b"'),
  );
  const trailers = fc.array(fc.constantFrom('A: b', 'X-Y:', 'Z: 0'), { maxLength: 3 });
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
  fc.assert(
    fc.property(
      fc.array(chunk),
      trailers,
      sizes,
      fc.uint8Array({ maxLength: 20 }),
      (chunks, fields, cuts, next) => {
        const body = Buffer.concat([
          ...chunks.flatMap(([data, extension]) => [
            Buffer.from(`${data.length.toString(16)}${extension}\r\n`),
            data,
            Buffer.from('\r\n'),
          ]),
          Buffer.from(`0\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n`),
        ]);
        assert.equal(end('chunked', Buffer.concat([body, next]), cuts), body.length);
      },
    ),
  );
});
