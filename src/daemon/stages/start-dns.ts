import { NameTable } from '../../dns/names.ts';
import { DnsServer } from '../../dns/server.ts';
import { UpstreamDns } from '../../dns/upstream.ts';
import { dockerBridgeAddress } from '../../doctor/preflight.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { isOutside } from '../../net/host.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { PreparedHost } from './prepare-host.ts';

/** The names, and who answers for them. */
export interface StartedDns {
  names: NameTable;
  /** `ip:port`; null: DNS is off */
  address: string | null;
  /** null: DNS is off */
  ip: string | null;
  /** the servers that get the rest of the questions */
  upstream: () => readonly string[];
  /** the domains that the host itself searches */
  searchDomains: () => readonly string[];
}

/** Starts the name server on the docker bridge, or where it was told to. */
export async function startDns(
  { host, logger }: Pick<DaemonDeps, 'logger'> & { host: PreparedHost },
  undo: UndoStack,
): Promise<StartedDns> {
  const { config } = host;
  const names = new NameTable();
  if (!config.dns) return { names, address: null, ip: null, upstream: () => [], searchDomains: () => [] };
  const [ip = '', port = '53'] = (
    config.dnsListenAddress ?? (await dockerBridgeAddress(config.dockerBridge))
  ).split(':');
  const upstream = new UpstreamDns({ own: [`${ip}:${port}`], logger });
  undo.push(() => upstream.close());
  const server = await DnsServer.listen({
    addresses: [ip],
    port: Number(port),
    domain: config.dnsDomain,
    ttl: config.dnsTtl,
    names,
    upstream,
    logger,
  });
  undo.push(() => server.close());
  const openToOutside = config.dnsListenAddress !== null && isOutside(ip, host.network, host.rules.outside);
  await host.firewall.set({ dns: { addresses: [ip], port: Number(port), openToOutside } });
  return {
    names,
    address: server.address,
    ip,
    upstream: () => upstream.servers,
    searchDomains: () => upstream.search,
  };
}
