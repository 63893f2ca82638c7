import type { TLSSocket } from 'node:tls';
import * as v from 'valibot';
import { messageOf, WeaveError } from '../../lib/errors.ts';
import { ip, peerName, word } from '../../store/records/fields.ts';

/** Negotiated in the TLS handshake: whoever speaks anything else is refused at once. */
export const protocol = 'weavets-join/1';
/** Characters in a message at most; the longest has three PEM texts. */
const longest = 64 * 1024;

const text = v.pipe(v.string(), v.maxLength(longest));

const host = v.object({
  name: peerName,
  nickname: word,
  address: ip,
});

/** The host that asks to be let in. */
export type JoiningHost = v.InferOutput<typeof host>;

/** First, from the asking host: who it is, and by what right. */
export const ask = v.object({
  host,
  by: v.variant('kind', [
    v.object({ kind: v.literal('token'), secret: text }),
    v.object({ kind: v.literal('password'), request: text }),
    v.object({ kind: v.literal('open') }),
  ]),
});

/** The second step of a proof of the password. */
export const proof = v.object({ request: text, binding: text });

const welcome = v.object({
  /** PEM, of the cluster's authority */
  authority: v.object({ cert: text, key: text }),
  /** `host:port` of the members of etcd */
  endpoints: v.pipe(v.array(v.pipe(v.string(), v.regex(/^[\w.-]+:\d+$/))), v.minLength(1)),
  /** null: no host gives addresses */
  range: v.nullable(word),
  domain: word,
  /** null: traffic between hosts is not encrypted */
  password: v.nullable(text),
});

/** What makes a host part of a cluster. */
export type Welcome = v.InferOutput<typeof welcome>;

/** Why a host was not let in; `wait`: not yet, as the asked host looks for others itself. */
const refusal = v.object({ refused: v.object({ wait: v.boolean(), message: v.string() }) });

/** Last, from the asked host; `binding` where a password was proved. */
export const verdict = v.union([refusal, v.object({ welcome, binding: v.optional(text) })]);
/** In between, where a password is to be proved. */
export const challenge = v.union([refusal, v.object({ response: text })]);

/** Messages over a connection, a line of JSON each. */
export class Messages {
  readonly #socket: TLSSocket;
  readonly #chunks: AsyncIterator<string>;
  #buffer = '';

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  /** @throws WeaveError BAD_REQUEST for anything else, or an end before the message */
  async read<T>(schema: v.GenericSchema<unknown, T>): Promise<T> {
    const parsed = v.safeParse(schema, parse(await this.#line()));
    if (parsed.success) return parsed.output;
    throw new WeaveError(
      'BAD_REQUEST',
      `not a message of this version of weavets: ${parsed.issues[0].message}`,
    );
  }

  write(message: object): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\n');
      if (end >= 0) {
        const line = this.#buffer.slice(0, end);
        this.#buffer = this.#buffer.slice(end + 1);
        return line;
      }
      if (this.#buffer.length > longest) throw new WeaveError('BAD_REQUEST', 'a message is too long');
      const { done, value } = await this.#chunks.next();
      if (done) throw new WeaveError('BAD_REQUEST', 'the connection ended before an answer came');
      this.#buffer += value;
    }
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new WeaveError('BAD_REQUEST', `not a message: ${messageOf(cause)}`, { cause });
  }
}
