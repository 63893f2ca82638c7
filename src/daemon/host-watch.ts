import { overlapText } from '../doctor/preflight.ts';
import { hasCode } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Conditions } from '../model/conditions.ts';
import { forwardAdvice, probeForwarding } from '../net/forward-probe.ts';
import { type HostNetwork, outsideLinks, readNetwork, type Underlay, underlayOf } from '../net/host.ts';
import { storeRules } from './host-firewall.ts';
import type { PreparedHost } from './stages/prepare-host.ts';

/** ms between frames that are sent to see whether the host lets containers' frames through */
export const probePause = 60_000;
/** Checks in a row that find our rules gone, after which somebody must be removing them on purpose. */
const contested = 3;

/** What {@link watchHost} needs. */
export interface HostWatchDeps {
  /** as it was at launch */
  host: Pick<PreparedHost, 'config' | 'underlay' | 'rules' | 'firewall'>;
  conditions: Conditions;
  /** `host:port` of the store's members, now */
  members: () => readonly string[];
  /** this host is part of a cluster */
  clustered: () => boolean;
  logger: Logger;
}

/** Watches what others do to the host's network: it is repaired, or becomes a condition. */
export function watchHost({ host, conditions, members, clustered, logger }: HostWatchDeps) {
  const { config, underlay, rules, firewall } = host;
  let repairs = 0;

  /** Links, addresses and routes that came or went. */
  async function look(): Promise<void> {
    const network = await readNetwork();
    conditions.update('RANGE_OVERLAPS', overlapText(config, network));
    const now = underlayNow(network);
    conditions.update('UNDERLAY_CHANGED', underlayText(now));
    const outside = outsideLinks(network, (now ?? underlay).link);
    const store = await storeRules(members(), { known: rules.closedPorts, network });
    await firewall.set({ outside, ...store });
  }

  /** Rules that somebody flushed. */
  async function keepRules(): Promise<void> {
    const repaired = await firewall.keep();
    repairs = repaired ? repairs + 1 : 0;
    if (repaired) logger.warn('firewall rules of ours were removed; restored them');
    if (repairs === 0) conditions.clear('FIREWALL_CONTESTED');
    if (repairs < contested) return;
    conditions.set(
      'FIREWALL_CONTESTED',
      "another program keeps removing weavets' firewall rules, which come back every few seconds; make it leave the chains WEAVE* and the jumps to them alone",
    );
  }

  /** Other firewalls. */
  async function probe(): Promise<void> {
    const passage = await probeForwarding();
    if (passage === 'unsent') return;
    conditions.update('FORWARD_BLOCKED', passage === 'dropped' ? await forwardAdvice() : undefined);
  }

  /** @returns undefined: the address that was asked for is on no link */
  function underlayNow(network: HostNetwork): Underlay | undefined {
    try {
      return underlayOf(network, config.host ?? undefined);
    } catch (error) {
      if (hasCode(error, 'USAGE')) return undefined;
      throw error;
    }
  }

  function underlayText(now: Underlay | undefined): string | undefined {
    const again = "run 'weavets stop' and 'weavets launch' to use the new one; containers keep running";
    if (!clustered() || underlay.address === undefined) return undefined;
    if (now?.address !== underlay.address) {
      return `this host's address towards the other hosts was ${underlay.address} and is now ${now?.address ?? 'gone'}; ${again}`;
    }
    if (config.mtu !== null || now.mtu === underlay.mtu) return undefined;
    return `the MTU of ${now.link} was ${underlay.mtu} and is now ${now.mtu}, but the containers' network was made for the old one; ${again}, and get the new MTU at their next start`;
  }

  return { look, keepRules, probe };
}
