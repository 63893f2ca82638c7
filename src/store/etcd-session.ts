import { setMaxListeners } from 'node:events';
import {
  Etcd3,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  type IOptions,
} from 'etcd3';

/** How etcd lets us in. */
export interface EtcdAccess {
  /** PEM texts; without a `ca` the machine's own roots count. Only https endpoints use it. */
  tls?: { ca?: string; cert?: string; key?: string };
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

let sessions = 0;

/**
 * One connection to one member of etcd. It lives until the first sign of trouble, and is never mended: whoever
 * uses it makes another, perhaps to another member, and starts all streams afresh.
 */
export class EtcdSession {
  readonly endpoint: string;
  readonly #client: Etcd3;
  readonly #end = new AbortController();

  constructor(endpoint: string, access: EtcdAccess) {
    this.endpoint = endpoint;
    // Every call in flight and every stream listens.
    setMaxListeners(0, this.#end.signal);
    const { tls, user, password } = access;
    this.#client = new Etcd3({
      hosts: [endpoint],
      ...(tls?.ca !== undefined && endpoint.startsWith('https:') && { credentials: credentialsOf(tls) }),
      ...(user !== undefined && {
        auth: {
          username: user,
          password: password ?? '',
          callOptions: () => ({ deadline: Date.now() + authTimeout }),
        },
      }),
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
      },
    });
  }

  /** Aborted, with the reason, when this session is of no more use. */
  get ended(): AbortSignal {
    return this.#end.signal;
  }

  /** For streams; whoever opens one ends the session when the stream ends. */
  get client(): Etcd3 {
    return this.#client;
  }

  /** Sends one call. Anything but an answer of etcd itself ends the session. */
  async call<T>(send: (client: Etcd3, options: CallOptions) => Promise<T>, ms: number): Promise<T> {
    const { ended } = this;
    ended.throwIfAborted();
    let fail = () => {};
    const failed = new Promise<never>((_, reject) => {
      fail = () => reject(ended.reason);
      ended.addEventListener('abort', fail, { once: true });
    });
    try {
      return await Promise.race([send(this.#client, { deadline: Date.now() + ms }), failed]);
    } catch (error) {
      if (!isAnswer(error)) this.end(error);
      throw error;
    } finally {
      ended.removeEventListener('abort', fail);
    }
  }

  end(reason: unknown): void {
    if (this.ended.aborted) return;
    this.#end.abort(reason);
    this.#client.close();
  }
}

/** True when etcd was reached and said no; all else means that this member can't be relied on now. */
function isAnswer(error: unknown): boolean {
  return [
    EtcdLeaseInvalidError,
    EtcdPermissionDeniedError,
    GRPCInvalidArgumentError,
    GRPCFailedPreconditionError,
    GRPCOutOfRangeError,
    GRPCResourceExhastedError,
  ].some((kind) => error instanceof kind);
}

function credentialsOf({ ca, cert, key }: NonNullable<EtcdAccess['tls']>): IOptions['credentials'] {
  return {
    rootCertificate: Buffer.from(ca ?? ''),
    ...(cert !== undefined && key !== undefined
      ? { certChain: Buffer.from(cert), privateKey: Buffer.from(key) }
      : {}),
  };
}
