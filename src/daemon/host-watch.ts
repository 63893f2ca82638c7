import { type HostNetwork, outsideLinks, underlayOf } from '../net/host.ts';
import { storeRules } from './host-firewall.ts';
import type { PreparedHost } from './stages/prepare-host.ts';

/**
 * What the firewall's rules are made of follows links that come or go, and members of the store.
 * @param now `members`: `host:port` of the store's members
 */
export async function followNetwork(
  { config, underlay, rules, firewall }: Pick<PreparedHost, 'config' | 'underlay' | 'rules' | 'firewall'>,
  { members, network }: { members: readonly string[]; network: HostNetwork },
): Promise<void> {
  const store = await storeRules(members, { known: rules.closedPorts, network });
  // One that `--host` gave may be gone for now.
  const { link } = config.host === null ? underlayOf(network) : underlay;
  await firewall.set({ outside: outsideLinks(network, link), ...store });
}
