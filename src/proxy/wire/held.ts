import type { Socket } from 'node:net';
import { WeaveError } from '../../lib/errors.ts';
import { bytesOf, errorAnswer, whole, withBody } from '../intercept/answer.ts';
import { type EngineAnswer, maxBody } from '../intercept/contract.ts';
import type { Interceptor } from '../intercept/intercept.ts';
import { BodyScanner } from './framing.ts';
import { HeadReader, parseResponse, type RequestHead, type ResponseHead } from './head.ts';
import type { Route } from './routes.ts';

/** The calls of each `docker run`. */
const held: readonly string[] = ['create', 'start', 'restart'];
/** The largest answer to a held call, bytes: they are a few lines of JSON. */
const maxAnswer = 1024 * 1024;

/** The engine's answer, on its way. */
interface Pending {
  reader: HeadReader;
  answer: { head: ResponseHead; text: string; body: BodyScanner } | undefined;
  parts: Buffer[];
  length: number;
  resolve: (answer: EngineAnswer) => void;
  reject: (error: Error) => void;
}

/**
 * An intercepted request that its handler sends on by its client's own connection to the engine. Takes the place of an
 * {@link Exchange}, and of the interceptor's server, whose request, answer and further connection to the engine cost
 * several times as much.
 */
export class HeldCall {
  readonly target: Socket;
  readonly method: string;
  /** of the request */
  readonly body: BodyScanner;
  /** The answer is written at once, and then the call is over. */
  readonly answering = false;
  readonly answered = false;
  readonly raw = false;
  readonly #route: Route;
  readonly #target: string;
  readonly #head: Buffer;
  readonly #unreachable: string;
  readonly #received: Buffer[] = [];
  #pending: Pending | undefined;
  #last = false;

  /** @param engine the client's own connection to it @param unreachable what to say when there is none */
  constructor(
    route: Route,
    request: { head: RequestHead; bytes: Buffer },
    engine: Socket,
    unreachable: string,
  ) {
    this.target = engine;
    this.method = request.head.method;
    this.body = new BodyScanner(request.head.framing);
    this.#route = route;
    this.#target = request.head.target;
    // A copy: the buffer is reused.
    this.#head = Buffer.from(request.bytes);
    this.#unreachable = unreachable;
  }

  /** True for a request that can be held: one of plain HTTP/1.1, whose end is known from its head. */
  static suits(route: Route, { framing, upgrade, last, expects }: RequestHead): boolean {
    const isPlain = !upgrade && !last && !expects;
    return held.includes(route.name) && isPlain && typeof framing === 'number' && framing <= maxBody;
  }

  /** The engine ends the connection with its answer. */
  get last(): boolean {
    return this.#last;
  }

  /** Takes some of the request's body. */
  receive(bytes: Buffer): void {
    this.#received.push(Buffer.from(bytes));
  }

  /**
   * Has it answered, once its body is complete.
   * @param signal aborted when the client goes away
   * @returns the answer as it is to be sent
   */
  async serve(interceptor: Pick<Interceptor, 'answer'>, signal: AbortSignal): Promise<Buffer> {
    const own = Buffer.concat(this.#received);
    const answer = await interceptor.answer({
      route: this.#route,
      method: this.method,
      target: this.#target,
      signal,
      body: async () => own,
      forward: (changed) =>
        changed ? this.#forward(headFor(this.#head, changed), changed) : this.#forward(this.#head, own),
    });
    if ('message' in answer) return bytesOf(errorAnswer(answer));
    return bytesOf(whole(answer, answer.body ?? (await answer.buffer())));
  }

  /** Takes some of the engine's answer. @returns how many of these bytes belong to it */
  take(bytes: Buffer): number {
    const pending = this.#pending;
    if (pending === undefined) return 0;
    try {
      return this.#read(pending, bytes);
    } catch (error) {
      this.#fail(error as Error);
      this.target.destroy();
      return bytes.length;
    }
  }

  /** The connection to the engine has ended. @param reached false: there never was one */
  ended(reached: boolean): void {
    const { answer } = this.#pending ?? {};
    if (answer?.head.framing === 'close') this.#complete(answer);
    else this.#fail(lost(reached ? 'the engine closed the connection' : this.#unreachable));
  }

  #forward(head: Buffer, body: Buffer): Promise<EngineAnswer> {
    return new Promise((resolve, reject) => {
      const reader = new HeadReader();
      this.#pending = { reader, answer: undefined, parts: [], length: 0, resolve, reject };
      if (this.target.destroyed || this.target.readableEnded) this.#fail(lost(this.#unreachable));
      else this.target.write(Buffer.concat([head, body]));
    });
  }

  #read(pending: Pending, bytes: Buffer): number {
    let taken = 0;
    while (!pending.answer) {
      const found = pending.reader.take(bytes.subarray(taken));
      if (!found) return bytes.length;
      taken += found.taken;
      const head = parseResponse(found.head, this.method);
      // 100 Continue and the like come before the answer.
      if (head.status < 200) continue;
      this.#last ||= head.last || head.framing === 'close';
      pending.answer = { head, text: found.head.toString('latin1'), body: new BodyScanner(head.framing) };
    }
    const { body } = pending.answer;
    taken += body.take(bytes.subarray(taken), (piece) => {
      pending.length += piece.length;
      if (pending.length > maxAnswer) throw new WeaveError('ENGINE_ERROR', 'the answer is too long');
      pending.parts.push(Buffer.from(piece));
    });
    if (body.done) this.#complete(pending.answer);
    return taken;
  }

  #complete({ head, text }: NonNullable<Pending['answer']>): void {
    const { parts = [], resolve } = this.#pending ?? {};
    this.#pending = undefined;
    const [first = '', ...lines] = text.slice(0, -4).split('\r\n');
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    const { status } = head;
    const answer = { status, statusText: first.slice('HTTP/1.1 200 '.length), headers };
    const hasNoBody = status === 204 || status === 304;
    resolve?.(hasNoBody ? whole(answer, Buffer.of()) : withBody(answer, Buffer.concat(parts)));
  }

  #fail(error: Error): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(error);
  }
}

function lost(message: string): WeaveError {
  return new WeaveError('ENGINE_UNREACHABLE', message);
}

/** The request's head with the length of another body. A client without a body did not need to state its type. */
function headFor(head: Buffer, body: Buffer): Buffer {
  const [first, ...fields] = head.toString('latin1', 0, head.length - 4).split('\r\n');
  const hadBody = fields.some((field) => /^content-length:[ \t]*[1-9]/i.test(field));
  const replaced = hadBody ? /^content-length:/i : /^content-(?:length|type):/i;
  const type = hadBody ? [] : ['Content-Type: application/json'];
  const kept = fields.filter((field) => !replaced.test(field));
  const lines = [first, ...kept, ...type, `Content-Length: ${body.length}`];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
