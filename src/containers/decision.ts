import type { ContainerInfo } from '../docker/types.ts';
import { type Decision, decide, type PolicyOptions } from '../model/policy.ts';
import { shimModeOf } from '../model/shim.ts';
import type { AttachChoice } from './attachments.ts';
import type { Override } from './overrides.ts';

/**
 * Decides about a container as `attach`, `detach`, its create and the daemon's flags have it. One whose shim waits is
 * attached in each run, whatever the flags have become since it was made, and though it was detached in an earlier one:
 * it would wait for ever.
 * @throws WeaveError BAD_WEAVE_CIDR for an invalid request
 */
export function decideFor(
  info: ContainerInfo,
  override: Override | undefined,
  options: PolicyOptions,
): Decision {
  if (override !== undefined && override.cidrs.length > 0)
    return { attach: true, requests: override.cidrs.map((cidr) => ({ kind: 'claim', cidr })) };
  const waits = info.shim !== undefined && shimModeOf(info.shim) !== 'nowait';
  const isSameRun = info.running && (override?.run ?? info.pid) === info.pid;
  if (override !== undefined && (isSameRun || !waits))
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
