import { type AddressRequest, parseWeaveCidr } from './request.ts';

/** What decides whether a container is attached, from a create body or an inspect answer. */
export interface Subject {
  /** HostConfig.NetworkMode; empty means default */
  networkMode: string;
  /** Config.Env: `KEY=value` */
  env: readonly string[];
  /** Config.Labels */
  labels: Readonly<Record<string, string>>;
}

/** The flags of `launch` that affect the decision. */
export interface PolicyOptions {
  /** false with --no-default-ipalloc: only containers that name an address are attached */
  defaultIpalloc: boolean;
  /** --attach-user-networks */
  attachUserNetworks: boolean;
}

/** Attach with these addresses, or leave alone for this reason, in words for `ps --why`. */
export type Decision = { attach: true; requests: AddressRequest[] } | { attach: false; reason: string };

/** Label that asks for addresses as WEAVE_CIDR does, for clients that can't set the environment. */
export const cidrLabel = 'weavets.cidr';

const bridged = new Set(['', 'default', 'bridge', 'none']);

/** A user-defined network, where Docker's own DNS answers first. */
export function isUserNetwork(networkMode: string): boolean {
  return !bridged.has(networkMode);
}

/**
 * The one place that says which containers are attached, and with what.
 * @throws WeaveError BAD_WEAVE_CIDR for an invalid request
 */
export function decide(subject: Subject, options: PolicyOptions): Decision {
  const { networkMode } = subject;
  if (networkMode === 'host') return { attach: false, reason: 'it shares the network of the host' };
  if (networkMode.startsWith('container:'))
    return { attach: false, reason: `it shares the network of ${networkMode}` };
  const asked = lastValue(subject.env, 'WEAVE_CIDR') ?? subject.labels[cidrLabel];
  if (asked === undefined) {
    if (isUserNetwork(networkMode) && !options.attachUserNetworks) {
      return {
        attach: false,
        reason: `it is on the network ${networkMode} and asks for no address (WEAVE_CIDR or label ${cidrLabel})`,
      };
    }
    if (!options.defaultIpalloc)
      return { attach: false, reason: 'it has no WEAVE_CIDR, and --no-default-ipalloc is set' };
  }
  const requests = parseWeaveCidr(asked ?? '');
  return requests === 'none' ? { attach: false, reason: 'WEAVE_CIDR=none' } : { attach: true, requests };
}

/** Value of an environment variable; the last one counts, as for the process itself. */
function lastValue(env: readonly string[], name: string): string | undefined {
  return env.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}
