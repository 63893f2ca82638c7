/** What a user can meet. */
interface ErrorKind {
  /** of HTTP, where an answer is to say it */
  status: number;
  means: string;
  /** What to do about it. */
  todo: string;
}

/**
 * Every code a user can meet, with what docs/errors.md says of it. Closed set: scripts branch on it. `USAGE` and below:
 * the caller's fault; `INTERNAL`: ours.
 */
export const errors = {
  USAGE: {
    status: 400,
    means: 'The command line or a setting in the environment has no meaning; the message names it.',
    todo: 'Correct it; `weavets COMMAND --help` shows what there is, `weavets help` the commands and topics.',
  },
  NOT_RUNNING: {
    status: 500,
    means: 'No daemon answers, or the proxy is switched off, or the daemon ended before it answered.',
    todo: '`weavets launch`; if it was running, read `/var/log/weavets.log`.',
  },
  ALREADY_RUNNING: {
    status: 500,
    means: 'A daemon runs on this host already.',
    todo: 'Nothing, or `weavets stop` first.',
  },
  LAUNCH_FAILED: {
    status: 500,
    means: 'The daemon, or its service, could not start, for the reason in the message.',
    todo: 'Mend that; `/var/log/weavets.log` tells more.',
  },
  NOT_ROOT: {
    status: 500,
    means: 'Only root may do this.',
    todo: "Run it as root or with `sudo`. `env` and `config` also work for users who may open the proxy's socket.",
  },
  TOOL_MISSING: {
    status: 500,
    means: 'A program that weavets calls is not installed.',
    todo: 'Install the package that the message names.',
  },
  TOOL_FAILED: {
    status: 500,
    means: 'A program that weavets calls refused; the message holds what it said.',
    todo: 'Often the kernel lacks a feature, or something else holds the name or address.',
  },
  ENGINE_UNREACHABLE: {
    status: 503,
    means: 'The Docker engine does not answer at its address.',
    todo: 'Start it, or set `DOCKER_HOST` for `weavets launch`.',
  },
  ENGINE_TIMEOUT: {
    status: 503,
    means:
      'The Docker engine did not answer a call of ours in time: it hangs, or one of its containers does.',
    todo: "Look at the engine's own log; weavets goes on by itself when it answers again.",
  },
  ENGINE_ERROR: {
    status: 500,
    means: 'The Docker engine refused a call of ours; the message holds what it said.',
    todo: "Look at the engine's own log.",
  },
  BAD_ADDRESS: {
    status: 400,
    means: 'A text is not an IPv4 address, or not one with a prefix length.',
    todo: 'Write `10.32.0.1`, or `10.32.0.1/12`.',
  },
  BAD_WEAVE_CIDR: {
    status: 400,
    means: '`WEAVE_CIDR`, the label or an argument asks for addresses in a form that has no meaning.',
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
    means: 'The range of addresses overlaps a route of the host.',
    todo: '`weavets launch --ipalloc-range` with a range that is free.',
  },
  DNS_PORT_BUSY: {
    status: 500,
    means: 'Something else listens on the address and port of the DNS server.',
    todo: 'Stop it, or use `--dns-listen-address` or `--no-dns`.',
  },
  ADDRESS_IN_USE: {
    status: 500,
    means: 'Something else listens on an endpoint of the proxy or on the status address.',
    todo: 'Stop it, or use another with `-H` or `--status-addr`.',
  },
  INSECURE_TCP: {
    status: 500,
    means: 'A TCP endpoint would be open to other machines without TLS; who reaches it is root on this host.',
    todo: '`--tlsverify` with certificates, an address on loopback, or `--allow-insecure-tcp` if it is meant.',
  },
  TLS_CONFIG: {
    status: 500,
    means: 'Certificates or keys are missing, unreadable, or do not fit together.',
    todo: 'Mend the file that the message names.',
  },
  BODY_TOO_LARGE: {
    status: 413,
    means: 'The body of a request that weavets must read is too large.',
    todo: 'Make it smaller; what is only passed through has no limit.',
  },
  BAD_REQUEST: {
    status: 400,
    means: 'A request to the proxy or the control socket has no meaning.',
    todo: 'Correct the client.',
  },
  NO_SUCH_CONTAINER: {
    status: 404,
    means: 'There is no container of that name or id.',
    todo: '`docker ps -a` lists all.',
  },
  NOT_ATTACHABLE: {
    status: 409,
    means: "The container can't be attached or named: it does not run, or has no network of its own.",
    todo: 'Start it; `weavets ps --why` tells more.',
  },
  ATTACH_FAILED: {
    status: 500,
    means: "The container's address or interface could not be made.",
    todo: 'The message holds the reason; `/var/log/weavets.log` tells more.',
  },
  STATE_CORRUPT: {
    status: 500,
    means:
      "What weavets keeps on disk can't be opened. Damage as such is no error: what is sound is used, the rest is kept aside, and `status` says so.",
    todo: 'Look at `/var/lib/weave/store`: permissions, a full disk; or move that folder away, and launch again.',
  },
  STATE_NOEXEC: {
    status: 500,
    means:
      '`/var/lib/weave` is on a file system mounted `noexec`; containers start by a program that lies there, so none would.',
    todo: 'Remount it without `noexec`, or mount another file system at `/var/lib/weave`.',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    means: 'The store does not answer.',
    todo: 'Start etcd, or check `--store`; running containers keep their network.',
  },
  CLUSTER_MISMATCH: {
    status: 500,
    means: "This host's settings differ from those of the other hosts.",
    todo: 'Launch every host with the same range, domain and password, and each with a name of its own (`--name`).',
  },
  INTERNAL: {
    status: 500,
    means: 'A fault of weavets itself, or the daemon hangs.',
    todo: 'Please report it, with the lines around it in `/var/log/weavets.log`.',
  },
} as const satisfies Record<string, ErrorKind>;

/** One of {@link errors}. */
export type ErrorCode = keyof typeof errors;

/** The codes, in the order of the table. */
export const errorCodes = Object.keys(errors) as ErrorCode[];

/** The status of HTTP for a code. */
export function statusOf(code: ErrorCode): number {
  return errors[code].status;
}

/** The code that this text is; undefined: none of ours. */
export function parseErrorCode(text: unknown): ErrorCode | undefined {
  return errorCodes.find((code) => code === text);
}

/** The code of anything that was thrown: INTERNAL for what is no error of ours. */
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
