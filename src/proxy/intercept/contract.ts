/** The contract between the proxy's transport and its handlers. */
import type { Readable } from 'node:stream';
import type { Route, RouteName } from '../wire/routes.ts';

/** The largest body of an intercepted request, bytes. */
export const maxBody = 16 * 1024 * 1024;

/** One intercepted request. */
export interface Call {
  readonly route: Route;
  readonly method: string;
  /** exactly as the client sent it, version prefix and query included */
  readonly target: string;
  /**
   * The whole request body, read once and remembered; empty if there is none.
   * @throws WeaveError BODY_TOO_LARGE over 16 MiB, BAD_REQUEST if the client stopped midway
   */
  body(): Promise<Buffer>;
  /**
   * Aborted when the client went away. A client that only closed its sending side looks the same, and still gets the
   * answer; so use it to give up waiting, not to undo what the engine has done.
   */
  readonly signal: AbortSignal;
  /**
   * Sends this request on to the engine, with this body or its own, and gives the engine's answer, which is not yet
   * sent to the client. Not cut short when the client goes away: an engine that was told to start a container does.
   * @throws WeaveError ENGINE_UNREACHABLE, and what {@link body} throws
   */
  forward(body?: Buffer): Promise<EngineAnswer>;
}

/** The engine's answer, head read and body not yet. Returned as it is, it goes to the client unchanged. */
export interface EngineAnswer {
  readonly status: number;
  readonly statusText: string;
  /** in the engine's order and case */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** the whole body, if that is here already; then `stream` only repeats it */
  readonly body?: Buffer;
  /** body without transfer encoding; an answer that is not returned must be read or destroyed */
  readonly stream: Readable;
  /** The whole body. For `stream`, this or that: not both. */
  buffer(): Promise<Buffer>;
}

/** An answer of our own: `{"message": …}`, as the engine's errors are. */
export interface ErrorAnswer {
  readonly status: number;
  readonly message: string;
}

/**
 * What to answer to a call. A thrown WeaveError is answered with the status of its code and its message; anything else
 * thrown is a 500 and logged.
 */
export type Handler = (call: Call) => Promise<EngineAnswer | ErrorAnswer>;

/** A route without a handler passes through. */
export type Handlers = Partial<Record<Exclude<RouteName, 'hijack'>, Handler>>;
