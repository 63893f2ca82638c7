import type { ContainerInfo } from '../docker/types.ts';
import { type Decision, decide, type PolicyOptions } from '../model/policy.ts';
import { shimModeOf, shimProgram } from '../model/shim.ts';
import type { AttachChoice } from './attachments.ts';
import { ContainerProcess } from './container-process.ts';
import type { Override } from './overrides.ts';

/**
 * Decides about a container as `attach`, `detach`, its create and the daemon's flags have it. One that waits in the shim
 * is attached, whatever the flags have become since it was made, and though it was detached when it ran before: it
 * would wait for ever.
 * @throws WeaveError BAD_WEAVE_CIDR for an invalid request
 */
export function decideFor(
  info: ContainerInfo,
  override: Override | undefined,
  options: PolicyOptions,
): Decision {
  if (override !== undefined && override.cidrs.length > 0)
    return { attach: true, requests: override.cidrs.map((cidr) => ({ kind: 'claim', cidr })) };
  const waits = willWait(info);
  if (override !== undefined && !waits)
    return { attach: false, reason: "it was detached by 'weavets detach'" };
  return decide(info, waits ? { ...options, defaultIpalloc: true, attachUserNetworks: true } : options);
}

/**
 * How a container is attached. A shim waits for what it was made for, whatever the flags are now.
 * @param asked by `attach`, of a container without a shim
 */
export function choiceFor(
  { shim }: ContainerInfo,
  asked: AttachChoice | undefined,
  { multicastRoute, rewriteHosts }: Pick<AttachChoice, 'multicastRoute' | 'rewriteHosts'>,
): AttachChoice {
  const isPromised = shim !== undefined && shimModeOf(shim) === 'multicast';
  return asked ?? { multicastRoute: multicastRoute || isPromised, rewriteHosts, addHosts: [], dns: true };
}

/** True for a container with a shim that waits, until its command has begun. */
function willWait({ id, pid, running, shim }: ContainerInfo): boolean {
  if (shim === undefined || shimModeOf(shim) === 'nowait') return false;
  const process = running ? ContainerProcess.open(pid, id) : undefined;
  if (process === undefined) return !running;
  try {
    // Before the shim it is the runtime's own: `runc:[2:INIT]`.
    return /^\w+:\[/.test(process.title) || process.program === shimProgram(shim.target);
  } catch {
    return false;
  } finally {
    process.close();
  }
}
