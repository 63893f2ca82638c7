/** A kind of error. */
interface ErrorKind {
  /** HTTP status */
  status: number;
  /** HTTP status of the proxy, towards Docker clients; default 500, as of an engine */
  proxied?: number;
  means: string;
  /** What to do about it. */
  todo: string;
  /** a start that it ends fails again until somebody changes something: it is not tried again */
  lasting?: true;
}

/**
 * Every error code, with its text in docs/errors.md. Closed set: scripts branch on it. `INTERNAL` is our fault.
 */
export const errors = {
  USAGE: {
    status: 400,
    lasting: true,
    means: 'The command line or an environment variable is wrong; the message says which.',
    todo: 'Correct it; `weavets COMMAND --help` shows the options, `weavets help` the commands and topics.',
  },
  NOT_RUNNING: {
    status: 500,
    means: 'No daemon answers, or the proxy is off, or the daemon ended before it answered.',
    todo: '`weavets launch`; if it was running, see `/var/log/weavets.log`.',
  },
  ALREADY_RUNNING: {
    status: 500,
    means: 'A daemon is already running on this host.',
    todo: 'Nothing, or `weavets stop` first.',
  },
  LAUNCH_FAILED: {
    status: 500,
    means: 'The daemon, or its service, could not start, for the reason in the message.',
    todo: 'Fix that; `/var/log/weavets.log` tells more.',
  },
  NOT_ROOT: {
    status: 500,
    lasting: true,
    means: 'Only root may do this.',
    todo: "Run it as root or with `sudo`. `env` and `config` also work for users who may open the proxy's socket.",
  },
  TOOL_MISSING: {
    status: 500,
    lasting: true,
    means: 'A program that weavets calls is not installed.',
    todo: 'Install the package that the message names.',
  },
  TOOL_FAILED: {
    status: 500,
    means: 'A program that weavets calls failed; the message has its output.',
    todo: 'Often the kernel lacks a feature, or something else has the name or address.',
  },
  ENGINE_UNREACHABLE: {
    status: 503,
    proxied: 502,
    means: 'The Docker engine does not answer at its address.',
    todo: 'Start it, or set `DOCKER_HOST` for `weavets launch`.',
  },
  ENGINE_TIMEOUT: {
    status: 503,
    means: 'The Docker engine did not answer in time: it hangs, or one of its containers does.',
    todo: "See the engine's own log; weavets recovers when the engine answers again.",
  },
  ENGINE_ERROR: {
    status: 500,
    means: 'The Docker engine refused a call; the message has its answer.',
    todo: "See the engine's own log.",
  },
  BAD_ADDRESS: {
    status: 400,
    means: 'Something is not an IPv4 address, or lacks a prefix length.',
    todo: 'Write `10.32.0.1`, or `10.32.0.1/12`.',
  },
  BAD_WEAVE_CIDR: {
    status: 400,
    means: '`WEAVE_CIDR`, the label or an argument asks for addresses in an invalid form.',
    todo: 'Use `10.2.1.1/24`, `ip:10.2.1.1/24`, `net:10.2.2.0/24`, `net:default` or `none`.',
  },
  IPAM_CONFLICT: {
    status: 409,
    means: 'The address belongs to another container or to the host.',
    todo: 'Choose another; `weavets ps` shows who has it.',
  },
  IPAM_FULL: {
    status: 503,
    means: 'The subnet has no free address.',
    todo: 'Remove containers, or use a larger subnet or range.',
  },
  RANGE_OVERLAPS: {
    status: 500,
    means: 'The address range overlaps a route of the host.',
    todo: '`weavets launch --ipalloc-range` with a free range.',
  },
  DNS_PORT_BUSY: {
    status: 500,
    means: "Something else listens on the DNS server's address and port.",
    todo: 'Stop it, or use `--dns-listen-address` or `--no-dns`.',
  },
  ADDRESS_IN_USE: {
    status: 500,
    means: 'Something else listens on an endpoint of the proxy or on the status address.',
    todo: 'Stop it, or use another endpoint with `-H` or `--status-addr`.',
  },
  INSECURE_TCP: {
    status: 500,
    lasting: true,
    means:
      'A TCP endpoint would be open to other machines without TLS; anyone who reaches it is root on this host.',
    todo: '`--tlsverify` with certificates, an address on loopback, or `--allow-insecure-tcp` if you mean it.',
  },
  TLS_CONFIG: {
    status: 500,
    lasting: true,
    means: "Certificates or keys are missing, unreadable, or don't match.",
    todo: 'Fix the file that the message names.',
  },
  BODY_TOO_LARGE: {
    status: 413,
    proxied: 413,
    means: 'The body of a request that weavets has to read is too large.',
    todo: 'Make it smaller; requests that are only passed through have no limit.',
  },
  BAD_REQUEST: {
    status: 400,
    proxied: 400,
    means: 'A request to the proxy or the control socket is malformed.',
    todo: 'Correct the client.',
  },
  NO_SUCH_CONTAINER: {
    status: 404,
    means: 'There is no container with that name or id.',
    todo: '`docker ps -a` lists them all.',
  },
  NOT_ATTACHABLE: {
    status: 409,
    means: "The container can't be attached or named: it does not run, or has no network of its own.",
    todo: 'Start it; `weavets ps --why` tells more.',
  },
  ATTACH_FAILED: {
    status: 500,
    means: "The container's address or interface could not be set up.",
    todo: 'The message has the reason; `/var/log/weavets.log` tells more.',
  },
  STATE_CORRUPT: {
    status: 500,
    lasting: true,
    means:
      "The state on disk can't be opened. Damage alone is not an error: what is readable is used, the rest is kept aside, and `status` says so.",
    todo: 'Check `/var/lib/weave/store` for permissions or a full disk; or move that folder away, and launch again.',
  },
  STATE_NOEXEC: {
    status: 500,
    lasting: true,
    means:
      '`/var/lib/weave` is on a file system mounted `noexec`; containers start a program that is there, so none could start.',
    todo: 'Remount it without `noexec`, or mount another file system at `/var/lib/weave`.',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    means: 'The store does not answer.',
    todo: 'Start etcd, or check `--store`; running containers keep their network.',
  },
  ETCD_FAILED: {
    status: 503,
    means: 'The etcd that weavets runs on this host did not start, or refused to change its members.',
    todo: 'The message has its output; `/var/lib/weave/etcd/etcd.log` tells more.',
  },
  CLUSTER_MISMATCH: {
    status: 500,
    means: "This host's settings differ from those of the other hosts.",
    todo: 'Launch all hosts with the same range, domain and password, and each with its own name (`--name`).',
  },
  JOIN_REFUSED: {
    status: 403,
    means:
      'The host that was asked does not let this one into its cluster, or could not prove that it is the right one.',
    todo: 'The message says which. `weavets cluster token` on a host of the cluster prints a valid token.',
  },
  JOIN_UNREACHABLE: {
    status: 503,
    means: 'The host whose cluster this one is to join does not answer.',
    todo: 'Launch weavets there, with `--password` or `cluster init`; open its TCP port 6783 to this host.',
  },
  UNHEALTHY: {
    status: 503,
    means: 'A check of `weavets doctor` failed; its output says which, and what to do.',
    todo: 'Do that, and run it again.',
  },
  INTERNAL: {
    status: 500,
    means: 'A bug in weavets, or the daemon hangs.',
    todo: 'Please report it, with the lines around it in `/var/log/weavets.log`.',
  },
} as const satisfies Record<string, ErrorKind>;

/** One of {@link errors}. */
export type ErrorCode = keyof typeof errors;

/** The codes, in the order of the table. */
export const errorCodes = Object.keys(errors) as ErrorCode[];

/** The HTTP status for a code. */
export function statusOf(code: ErrorCode): number {
  return errors[code].status;
}

/** The HTTP status for a code, in the proxy's answers to Docker clients. */
export function proxiedStatusOf(code: ErrorCode): number {
  const { proxied = 500 }: ErrorKind = errors[code];
  return proxied;
}

/** True for a code after which a service is not started again by itself. */
export function isLasting(code: ErrorCode): boolean {
  const { lasting }: ErrorKind = errors[code];
  return lasting === true;
}

/** The code with this text; undefined if it is not one of ours. */
export function parseErrorCode(text: unknown): ErrorCode | undefined {
  return errorCodes.find((code) => code === text);
}

/** The code of anything thrown; INTERNAL for foreign errors. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof WeaveError ? error.code : 'INTERNAL';
}

/** An error for people: a stable code, and a message that says what failed, on what, and what to do next. */
export class WeaveError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'WeaveError';
    this.code = code;
  }
}

/** The text to show for anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True for a {@link WeaveError} with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is WeaveError {
  return error instanceof WeaveError && error.code === code;
}
