import { WeaveError } from '../../lib/errors.ts';
import type { Framing } from './framing.ts';

/** The largest head of a request or an answer, in bytes: X-Registry-Config and long filters pass node's 16 KiB. */
export const maxHead = 1024 * 1024;

const cr = 13;
const lf = 10;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Field values: no control characters; those that Go refuses too. */
const text = /^[\t\x20-\x7e\x80-\xff]*$/;
/** What Go's server takes as Host; anything else it refuses. Old clients give the socket's path: the engine may judge. */
const hostText = /^\/[\x21-\x7e]*$|^[!$%&'()*+,\-.0-9:;=A-Z[\]_a-z~]*$/;
const requestLine = /^([^ ]+) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;
/** What an HTTP/2 connection with prior knowledge starts with. */
const preface = 'PRI * HTTP/2.0';

/** Collects the bytes of a head, however they are cut. */
export class HeadReader {
  #parts: Buffer[] = [];
  #length = 0;
  /** bytes of the present line, its CR included */
  #line = 0;
  /** the byte before the buffer that comes next */
  #last = 0;

  /**
   * @returns the head with its empty line, and how many bytes of `buffer` it took; undefined while it is incomplete
   * @throws WeaveError BAD_REQUEST when it is too long, or a line ends in a bare LF, which readers understand differently
   */
  take(buffer: Buffer): { head: Buffer; taken: number } | undefined {
    let start = 0;
    let from = 0;
    for (let at = buffer.indexOf(lf); at >= 0; at = buffer.indexOf(lf, from)) {
      if ((at > 0 ? buffer[at - 1] : this.#last) !== cr)
        throw new WeaveError('BAD_REQUEST', 'a line of the head ends in LF without CR; end lines in CRLF');
      const length = this.#line + at + 1 - from;
      from = at + 1;
      this.#line = 0;
      if (length > 2) continue;
      const parts = this.#parts;
      const total = this.#length + from - start;
      this.#parts = [];
      this.#length = 0;
      this.#last = 0;
      if (total > maxHead) throw tooLong();
      if (total > 2) {
        parts.push(buffer.subarray(start, from));
        return { head: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts), taken: from };
      }
      // Old clients send an empty line after a body: it belongs to no request, and is dropped.
      start = from;
    }
    this.#line += buffer.length - from;
    this.#length += buffer.length - start;
    if (this.#length > maxHead) throw tooLong();
    this.#last = buffer[buffer.length - 1] ?? this.#last;
    // A copy: the buffer is reused.
    if (start < buffer.length) this.#parts.push(Buffer.from(buffer.subarray(start)));
    return undefined;
  }
}

/** What the proxy must know about a request to frame and recognise it. */
export interface RequestHead {
  method: string;
  target: string;
  framing: Framing;
  /** asks for another protocol (`Connection: Upgrade`) */
  upgrade: boolean;
  /** no other request can follow on its connection */
  last: boolean;
  /** wants to be told that its body may come (`Expect: 100-continue`) */
  expects: boolean;
}

/**
 * Reads a request head strictly: anything ambiguous is refused.
 * @returns `http2` for HTTP/2's preface
 * @throws WeaveError BAD_REQUEST
 */
export function parseRequest(head: Buffer): RequestHead | 'http2' {
  const [first = '', ...lines] = split(head);
  if (first === preface && lines.length === 0) return 'http2';
  const [, method = '', target = '', minor] = requestLine.exec(first) ?? [];
  if (!token.test(method)) throw bad('the request line is not METHOD TARGET HTTP/1.1');
  let upgrade = false;
  let last = minor === '0';
  let length: number | undefined;
  let chunked = false;
  let closes = false;
  let expects = false;
  let hosts = 0;
  for (const line of lines) {
    const [name, value] = parseField(line);
    if (name === 'host') {
      if (++hosts > 1 || !hostText.test(value)) throw bad('Host is not one name');
    } else if (name === 'content-length') {
      const same = parseLength(value);
      if (same === undefined || (length !== undefined && length !== same))
        throw bad('Content-Length is not one number');
      length = same;
    } else if (name === 'transfer-encoding') {
      if (chunked || minor === '0' || value.toLowerCase() !== 'chunked')
        throw bad('the only Transfer-Encoding known is chunked, once, in HTTP/1.1');
      chunked = true;
    } else if (name === 'expect') {
      if (value !== '' && value.toLowerCase() !== '100-continue')
        throw bad('no Expect but 100-continue is known');
      expects = value !== '';
    } else if (name === 'connection') {
      upgrade ||= hasToken(value, 'upgrade');
      if (hasToken(value, 'close')) closes = true;
      else if (hasToken(value, 'keep-alive')) last = false;
    }
  }
  if (chunked && length !== undefined) throw bad('Content-Length and Transfer-Encoding exclude each other');
  const framing = chunked ? 'chunked' : (length ?? 0);
  return { method, target, framing, upgrade, last: last || closes, expects };
}

/** What the proxy must know about an answer to find its end. */
export interface ResponseHead {
  status: number;
  framing: Framing;
  /** no other answer follows on its connection */
  last: boolean;
}

/**
 * Reads an answer's head, given the method it answers.
 * @throws WeaveError ENGINE_ERROR if it is malformed
 */
export function parseResponse(head: Buffer, method: string): ResponseHead {
  const [first = '', ...lines] = split(head);
  const status = Number(/^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/.exec(first)?.[1]);
  if (Number.isNaN(status)) throw new WeaveError('ENGINE_ERROR', 'the engine did not answer in HTTP/1');
  let framing: Framing = 'close';
  let chunked: boolean | undefined;
  let last = false;
  for (const line of lines) {
    if (/^transfer-encoding:/i.test(line)) chunked ??= hasToken(line.slice(18), 'chunked');
    else if (/^content-length:/i.test(line)) framing = parseLength(trim(line.slice(15))) ?? 'close';
    else if (/^connection:/i.test(line)) last ||= hasToken(line.slice(11), 'close');
  }
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) framing = 0;
  else if (chunked !== undefined) framing = chunked ? 'chunked' : 'close';
  return { status, framing, last };
}

function split(head: Buffer): string[] {
  return head.toString('latin1', 0, head.length - 4).split('\r\n');
}

/** Name in lower case, and value. @throws WeaveError BAD_REQUEST also for folded lines and space before the colon */
function parseField(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1);
  if (!token.test(name) || !text.test(value)) throw bad('a header field is malformed');
  return [name.toLowerCase(), trim(value)];
}

/** Without blanks at its ends. Not `trim()`, which takes more than HTTP's blanks; not a pattern, slow on long runs. */
function trim(value: string): string {
  let from = 0;
  let to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from++;
  while (to > from && isBlank(value.charCodeAt(to - 1))) to--;
  return value.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function parseLength(value: string): number | undefined {
  const length = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(length) ? length : undefined;
}

function hasToken(value: string, wanted: string): boolean {
  return value.split(',').some((item) => item.trim().toLowerCase() === wanted);
}

function bad(what: string): WeaveError {
  return new WeaveError('BAD_REQUEST', `malformed HTTP request: ${what}`);
}

function tooLong(): WeaveError {
  return new WeaveError('BAD_REQUEST', `the head is longer than ${maxHead} bytes`);
}
