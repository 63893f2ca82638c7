import { setMaxListeners } from 'node:events';
import type { Etcd3, IOptions } from 'etcd3';
import { messageOf } from '../../lib/errors.ts';
import { library } from './library.ts';

/** How etcd lets us in. */
export interface EtcdAccess {
  /** PEM texts; without a `ca` the machine's own roots count. Only https endpoints use it. */
  tls?: { ca?: string; cert?: string; key?: string };
  /** Where etcd has no users, this has no effect, as with etcdctl. */
  user?: string;
  password?: string;
}

/** What a call is sent with. */
export interface CallOptions {
  /** ms since the epoch */
  deadline: number;
}

/** ms between pings of a silent connection; etcd hangs up on clients that ping more often than every 5 s. */
const pingInterval = 10_000;
const pingTimeout = 5_000;
/** ms that the exchange of a password for a token may take. */
const authTimeout = 1_500;

/**
 * The client library's own retries send a transaction again of which nobody knows whether it was done, and its
 * circuit breaker keeps a healthy member locked out; here every fault is told at once, and the store decides.
 */
const once = {
  execute: async <T>(task: (context: { signal: AbortSignal }) => T) =>
    task({ signal: new AbortController().signal }),
} as unknown as NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** The token, or the lack of one, won't do any more: it has expired, or users have been changed or made since. */
class StaleTokenError extends Error {}
const nameless = /user name is empty/;
const staleToken = /invalid auth token|revision of auth store is old|user name is empty/;

/** What the client library gives to whoever wants to alter a call before it is sent, as far as we alter it. */
interface Outgoing {
  methodDefinition: { path: string };
  metadata: { set(key: string, value: string): void };
  /** absent on streams */
  callback?: (error: Error | null, ...rest: unknown[]) => void;
}

let sessions = 0;

/**
 * One connection to one member of etcd. It lives until the first sign of trouble, and is never repaired: whoever
 * uses it makes another, perhaps to another member, and starts all streams afresh.
 */
export class EtcdSession {
  readonly endpoint: string;
  readonly #client: Etcd3;
  readonly #end = new AbortController();
  readonly #access: EtcdAccess;
  /** The token that every call carries; may be empty. */
  #token = '';
  #login: Promise<void> | undefined;

  constructor(endpoint: string, access: EtcdAccess) {
    this.endpoint = endpoint;
    // Every call in flight and every stream listens.
    setMaxListeners(0, this.#end.signal);
    this.#access = access;
    const { tls } = access;
    this.#client = new (library().Etcd3)({
      hosts: [endpoint],
      ...(tls && endpoint.startsWith('https:') && { credentials: credentialsOf(tls) }),
      faultHandling: { global: once, host: () => once },
      grpcOptions: {
        'grpc.keepalive_time_ms': pingInterval,
        'grpc.keepalive_timeout_ms': pingTimeout,
        'grpc.enable_retries': 0,
        // Names of 100,000 containers are more than the 4 MiB that the library takes by default.
        'grpc.max_receive_message_length': -1,
        // A proxy of the environment is meant for the web.
        'grpc.enable_http_proxy': 0,
        // Equal options share a TCP connection, process-wide; a new session must not inherit a dead one.
        'grpc.primary_user_agent': `weavets/${++sessions}`,
        // The library's own login uses a connection without these options, which it shares with dead sessions.
        callInvocationTransformer: (call: Outgoing) => this.#withToken(call),
      },
    });
  }

  /** Aborted, with the reason, when this session is over. */
  get ended(): AbortSignal {
    return this.#end.signal;
  }

  /** For streams; whoever opens one ends the session when the stream ends. */
  get client(): Etcd3 {
    return this.#client;
  }

  /** Sends one call, after a login if etcd asks for one. Anything but an answer of etcd itself ends the session. */
  async call<T>(send: (client: Etcd3, options: CallOptions) => Promise<T>, ms: number): Promise<T> {
    this.ended.throwIfAborted();
    const options = { deadline: Date.now() + ms };
    try {
      this.#login ??= this.#authenticate();
      const login = this.#login;
      await login;
      try {
        return await this.#unlessEnded(send(this.#client, options));
      } catch (error) {
        if (!(error instanceof StaleTokenError)) throw error;
        // etcd did nothing, so it may be sent again. Many calls may find out at once.
        if (this.#login === login) this.#login = this.#authenticate();
        await this.#login;
        return await this.#unlessEnded(send(this.#client, options));
      }
    } catch (error) {
      if (!isAnswer(error)) this.end(error);
      throw error;
    }
  }

  end(reason: unknown): void {
    if (this.ended.aborted) return;
    this.#end.abort(reason);
    this.#client.close();
  }

  async #unlessEnded<T>(answer: Promise<T>): Promise<T> {
    const { ended } = this;
    let fail = () => {};
    const failed = new Promise<never>((_, reject) => {
      fail = () => reject(ended.reason);
      ended.addEventListener('abort', fail, { once: true });
    });
    try {
      return await Promise.race([answer, failed]);
    } finally {
      ended.removeEventListener('abort', fail);
    }
  }

  /** Exchanges the password for a token. */
  async #authenticate(): Promise<void> {
    const { user, password = '' } = this.#access;
    if (user === undefined) return;
    const options = { deadline: Date.now() + authTimeout };
    try {
      const answer = this.#client.auth.authenticate({ name: user, password }, options);
      this.#token = (await this.#unlessEnded(answer)).token;
    } catch (error) {
      if (!/authentication is not enabled/.test(messageOf(error))) throw error;
    }
  }

  #withToken(call: Outgoing): Outgoing {
    const { callback, methodDefinition } = call;
    // A login with a token that has expired is refused.
    if (this.#token !== '' && !methodDefinition.path.endsWith('/Authenticate'))
      call.metadata.set('token', this.#token);
    if (!callback) return call;
    return {
      ...call,
      callback: (error, ...rest) => {
        // Under its own name the library would take it for a fault of its login, and send the call again for ever.
        const stale = error && this.#access.user !== undefined && staleToken.test(error.message);
        callback(stale ? new StaleTokenError(error.message) : error, ...rest);
      },
    };
  }
}

/** True for an error of the store that etcd gave because it does not know this host, or lets it do less. */
export function isDenied(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof library().EtcdPermissionDeniedError;
}

/** True when etcd was reached and said no; all else means that this member can't be relied on now. */
function isAnswer(error: unknown): boolean {
  // It has users by now, and we have no name: so it will say to whatever we ask.
  if (nameless.test(messageOf(error))) return false;
  const etcd3 = library();
  return [
    etcd3.EtcdLeaseInvalidError,
    etcd3.EtcdPermissionDeniedError,
    etcd3.GRPCInvalidArgumentError,
    etcd3.GRPCFailedPreconditionError,
    etcd3.GRPCOutOfRangeError,
    etcd3.GRPCResourceExhastedError,
  ].some((kind) => error instanceof kind);
}

function credentialsOf({ ca, cert, key }: NonNullable<EtcdAccess['tls']>): IOptions['credentials'] {
  const pem = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
  // The type wants a root; without one, the machine's own count.
  return {
    rootCertificate: pem(ca),
    certChain: pem(cert),
    privateKey: pem(key),
  } as unknown as IOptions['credentials'];
}
