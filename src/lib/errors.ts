/**
 * Every code a user can meet. Closed set: scripts branch on it, docs/errors.md lists it.
 * `USAGE` and below: the caller's fault; `INTERNAL`: ours.
 */
export const errorCodes = [
  'USAGE',
  'NOT_RUNNING',
  'ALREADY_RUNNING',
  'LAUNCH_FAILED',
  'NOT_ROOT',
  'TOOL_MISSING',
  'TOOL_FAILED',
  'ENGINE_UNREACHABLE',
  'ENGINE_TIMEOUT',
  'ENGINE_ERROR',
  'BAD_ADDRESS',
  'BAD_WEAVE_CIDR',
  'IPAM_CONFLICT',
  'IPAM_FULL',
  'RANGE_OVERLAPS',
  'DNS_PORT_BUSY',
  'ADDRESS_IN_USE',
  'INSECURE_TCP',
  'TLS_CONFIG',
  'BODY_TOO_LARGE',
  'BAD_REQUEST',
  'NO_SUCH_CONTAINER',
  'NOT_ATTACHABLE',
  'ATTACH_FAILED',
  'STATE_CORRUPT',
  'STATE_NOEXEC',
  'STORE_UNAVAILABLE',
  'CLUSTER_MISMATCH',
  'INTERNAL',
] as const;

/** One of {@link errorCodes}. */
export type ErrorCode = (typeof errorCodes)[number];

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
