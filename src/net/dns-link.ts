import { bridgeName } from './bridge.ts';
import { type IpBatch, queryJson } from './ip.ts';

/** Our name server's address for containers that reach the host only through ethwe. Link-local, on every host. */
export const dnsLinkAddress = '169.254.77.53';

/** Number of the routing table, and of the rule that leads there. */
const table = 7753;

/** What a container needs to reach it. */
export interface DnsRoute {
  address: string;
  /** of this host's bridge: the other hosts would answer for the address, too */
  mac: string;
}

/**
 * Puts the address on the bridge. Answers go back over the bridge, whatever the asker's subnet: the host
 * itself has no route there.
 */
export async function ensureDnsLink(ip: IpBatch): Promise<void> {
  await removeRule(ip);
  await ip.runOk([
    `addr replace ${dnsLinkAddress}/32 scope link dev ${bridgeName}`,
    `route replace default dev ${bridgeName} scope link table ${table}`,
    `rule add from ${dnsLinkAddress} lookup ${table} pref ${table}`,
  ]);
}

/** True while what is answered there finds its way: rule and route are as they were made. */
export async function hasDnsWay(): Promise<boolean> {
  // An address of the world: nothing but our table leads there by the bridge.
  const argv = ['ip', 'route', 'get', '198.51.100.1', 'from', dnsLinkAddress] as const;
  const routes = await queryJson<{ dev?: string }>([...argv]).catch(() => []);
  return routes[0]?.dev === bridgeName;
}

/** Removes the rule; address and route go with the bridge. */
export async function removeRule(ip: IpBatch): Promise<void> {
  await ip.run([`rule del from ${dnsLinkAddress} lookup ${table} pref ${table}`]);
}
