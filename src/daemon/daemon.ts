import { type ContainerEvent, followEvents } from '../docker/events.ts';
import { messageOf } from '../lib/errors.ts';
import { UndoStack } from '../lib/undo.ts';
import { sourcesAtLimit } from '../net/dns-limit.ts';
import { Checkup } from './checkup.ts';
import { FloodWatch } from './flood-watch.ts';
import { followNetwork } from './host-watch.ts';
import { maintain } from './maintenance.ts';
import { PathWatch } from './path-watch.ts';
import type { DaemonDeps } from './stages/daemon-deps.ts';
import { joinCluster } from './stages/join-cluster.ts';
import { prepareHost } from './stages/prepare-host.ts';
import { startContainers } from './stages/start-containers.ts';
import { startDns } from './stages/start-dns.ts';
import { startServers } from './stages/start-servers.ts';

/** ms between probes of what others may do to the host's network */
const probePause = 60_000;

/**
 * Builds the daemon stage by stage, and runs it until `signal`; each part's end stands beside its beginning, and all
 * are undone in reverse. Containers keep running, and keep their network, when it ends.
 */
export async function runParts(deps: DaemonDeps): Promise<void> {
  const { logger, conditions, signal, doing, onReady } = deps;
  const undo = new UndoStack();
  try {
    doing('preparing this host');
    const host = await prepareHost(deps, undo);
    doing(deps.config.store === 'lmdb' ? 'looking after addresses' : 'joining the other hosts');
    const joined = await joinCluster({ ...deps, host }, undo);
    doing('starting the name server');
    const dns = await startDns({ ...deps, host }, undo);
    doing('looking at containers');
    const containers = await startContainers({ ...deps, host, joined, dns }, undo);
    const checkup = new Checkup({ ...deps, host, joined, dns, containers });
    doing('starting the proxy');
    const servers = await startServers({ ...deps, host, joined, dns, containers, checkup }, undo);

    const pathWatch = new PathWatch(conditions);
    const floodWatch = new FloodWatch({
      dropped: () => host.firewall.droppedQueries,
      atLimit: sourcesAtLimit,
      nameOf: (address) => dns.askers.nameOf(address),
      conditions,
    });
    const { seat } = joined;
    const probes = checkup.tasks('probe');
    await probes.forwarding?.().catch((error: unknown) => {
      logger.warn({ reason: messageOf(error) }, "cannot check whether frames pass the host's firewall");
    });
    maintain({ tasks: probes, pause: probePause, conditions, signal });
    maintain({
      tasks: {
        ...checkup.tasks('look'),
        'host network': async () =>
          followNetwork(host, {
            members: seat.membership?.members.list() ?? [],
            network: await checkup.network(),
          }),
        attachments: () => containers.attachments.sweep(),
        'name server': async () => {
          floodWatch.look();
          await dns.server?.follow();
        },
        "host's own names": () => containers.system.keep(),
        paths: async () => {
          pathWatch.look(containers.peerStates());
          await containers.applyPathMtu();
        },
      },
      conditions,
      signal,
    });

    let ready = false;
    const follower = {
      connected: async () => {
        await dns.server?.follow();
        await containers.reconciler.reconcileAll();
        seat.completed();
        if (ready) return;
        ready = true;
        servers.becomeReady();
        onReady();
      },
      event: (event: ContainerEvent) => {
        const { action, id } = event;
        containers.reconciler.noticed(event);
        servers.changes.noticed(event);
        // Started by its policy or another client: nobody waits for the outcome.
        if (action === 'start')
          void containers.reconciler.settled(id).then(() => containers.outcomes.failure(id));
      },
    };
    doing('attaching the containers that run');
    await followEvents(host.engine, follower, { signal, conditions });
  } finally {
    for (const error of await undo.rollback())
      logger.error({ reason: messageOf(error) }, 'cannot close a part of the daemon');
  }
}
