import { qualify } from '../dns/names.ts';
import type { End } from '../doctor/walk.ts';
import { WeaveError } from '../lib/errors.ts';
import type { CheckupDeps } from './checkup.ts';

/** What has this name, for `weavets doctor A B`: a container, here or on another host, or a host. */
export async function findEnd(
  called: string,
  deps: Omit<CheckupDeps, 'conditions' | 'logger'>,
): Promise<End> {
  const end =
    (await containerHere(called, deps)) ?? containerElsewhere(called, deps) ?? hostCalled(called, deps);
  if (end !== undefined) return end;
  throw new WeaveError(
    'NO_SUCH_CONTAINER',
    `no container or host is called ${called}; 'docker ps' lists this host's containers, 'weavets status dns' the names of all hosts, 'weavets status peers' the hosts`,
  );
}

async function containerHere(
  called: string,
  { host, dns, containers }: Pick<CheckupDeps, 'host' | 'dns' | 'containers'>,
): Promise<End | undefined> {
  const info = await host.engine.inspect(called);
  if (info === undefined) return undefined;
  const attachment = containers.attachments.get(info.id);
  if (!info.running || attachment === undefined) {
    const why = containers.reconciler.reason(info) ?? 'it ends just now';
    const text = info.running ? `is not attached: ${why}` : 'does not run; start it first';
    throw new WeaveError('NOT_ATTACHABLE', `container ${info.name} ${text}`);
  }
  const { server, names } = dns;
  const told = server && attachment.info.dns.find((address) => server.isOurs(address));
  return {
    called,
    host: thisHost(host),
    container: {
      name: info.name,
      hostname: names.list({ containerId: info.id })[0]?.hostname,
      mac: attachment.mac,
      ips: attachment.cidrs.map(({ address }) => address),
      process: attachment.process,
      server: told && `${told}:${server.address.split(':').at(-1)}`,
    },
  };
}

function containerElsewhere(
  called: string,
  deps: Omit<CheckupDeps, 'conditions' | 'logger'>,
): End | undefined {
  const { host, dns, joined } = deps;
  const hostname = qualify(called, host.config.dnsDomain);
  const record = dns.names.list({ hostname }).find(({ origin }) => origin !== host.peer);
  const link = record && joined.seat.cluster?.linkOf(record.origin, record.containerId);
  const other = record && hostCalled(record.origin, deps);
  if (!link?.mac || other === undefined) return undefined;
  const { mac, ips } = link;
  const container = { name: called, hostname, mac, ips, process: undefined, server: undefined };
  return { called, host: other.host, container };
}

function hostCalled(
  called: string,
  { host, joined }: Omit<CheckupDeps, 'conditions' | 'logger'>,
): End | undefined {
  const own = thisHost(host);
  if ([host.peer, own.nickname, own.address].includes(called))
    return { called, host: own, container: undefined };
  const state = joined.seat.datapath
    ?.state()
    .find(({ peer }) => [peer.name, peer.nickname, peer.address].includes(called));
  if (state === undefined) return undefined;
  const { name, nickname, address } = state.peer;
  const alive = joined.seat.cluster?.isAlive(name) ?? false;
  const trouble = state.state === 'failed' ? state.text : '';
  return { called, host: { nickname, address, here: false, alive, trouble }, container: undefined };
}

function thisHost({ config, underlay }: CheckupDeps['host']): End['host'] {
  return { nickname: config.nickname, address: underlay.address ?? '', here: true, alive: true, trouble: '' };
}
