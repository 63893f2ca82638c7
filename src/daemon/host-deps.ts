import { storeClocks } from '../cluster/store-clocks.ts';
import type { Peer } from '../doctor/checks/carried.ts';
import type { Asker } from '../doctor/checks/names.ts';
import type { HostDeps } from '../doctor/checks.ts';
import { Streak } from '../doctor/streak.ts';
import { Tuning } from '../doctor/tuning.ts';
import type { KeyedLock } from '../lib/lock.ts';
import { Turns } from '../lib/turns.ts';
import type { HostNetwork, Underlay } from '../net/host.ts';
import { repairLinks } from '../net/link-guard.ts';
import type { PeerState } from '../net/overlay/datapath.ts';
import type { CheckupDeps } from './checkup.ts';

/** how many containers' links are looked at closely each time: all of a thousand would take 15 ms */
const closely = 200;

/** What the doctor's checks have of the daemon, as it is now: a host may join a cluster, or leave it, while it runs. */
export function hostDepsOf(parts: CheckupDeps, lock: KeyedLock): (network: HostNetwork) => HostDeps {
  const { host, joined, dns, containers, logger } = parts;
  const { engine, ip, store, firewall, bridge } = host;
  const { seat } = joined;
  const { exposer } = containers;
  const triedOffload = new Set<string>();
  const tuning = new Tuning({ store, logger });
  const streaks = { links: new Streak(), overlay: new Streak(), rules: new Streak() };
  const turns = new Turns(closely);
  const repair = async (network: HostNetwork) => {
    const pids = containers.linkPids();
    const wish = {
      mtu: host.mtu,
      mac: bridge.address,
      pids,
      close: turns.take(pids),
      exposed: exposer.list(),
      dns: dns.server?.isAtBridge ?? false,
    };
    const wrong = await repairLinks(ip, wish, network);
    const restored = await containers.restoreLinks();
    return [...wrong, ...restored.map((name) => `the link of container ${name} had gone`)];
  };
  const move = (to: Underlay) =>
    lock.run('overlay', async () => {
      if (to.address === undefined) return;
      await seat.datapath?.move(to.address);
      host.underlay = to;
      seat.cluster?.moved(to.address);
    });
  return (network) => {
    const { membership, datapath } = seat;
    const config = membership?.config ?? host.config;
    return {
      config,
      engine,
      network,
      tuning,
      triedOffload,
      links: { repair, streak: streaks.links },
      overlay: datapath && { repair: () => datapath.repair(), streak: streaks.overlay },
      rules: { keep: () => firewall.keep(), streak: streaks.rules },
      askers: () => askers({ dns, containers }),
      underlayLink: () => host.underlay.link,
      underlay: { current: host.underlay, clustered: membership !== undefined, move },
      peers: () => containers.peerStates().map(toPeer),
      store: membership && {
        ask: async () => {
          await membership.shared.get('settings');
        },
        clocks: () => storeClocks(config, membership.members.list()),
      },
    };
  };
}

/** ms for which nothing must pass inside while the hosts hear each other outside, to rule out passing trouble */
const settled = 15_000;

function toPeer({ peer, state, text, health }: PeerState): Peer {
  const { nickname, address } = peer;
  const silent = state === 'failed';
  const narrow = silent || text === '' ? undefined : { text, met: health?.mtu !== undefined };
  const lasts = health !== undefined && Date.now() - health.small.since > settled;
  const blocked = silent && lasts && health.underlay === 'up';
  return { nickname, address, silent, blocked, narrow };
}

/** Containers that were told of our name server, and have a name. */
function askers({ dns, containers }: Pick<CheckupDeps, 'dns' | 'containers'>): Asker[] {
  const { server, names } = dns;
  if (server === undefined) return [];
  const port = server.address.split(':').at(-1);
  return containers.attachments.list().flatMap(({ info, process }) => {
    const told = info.dns.find((address) => server.isOurs(address));
    const [named] = names.list({ containerId: info.id });
    if (!process.alive || told === undefined || named === undefined) return [];
    return [{ name: info.name, process, server: `${told}:${port}`, hostname: named.hostname }];
  });
}
