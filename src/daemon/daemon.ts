import { type ContainerEvent, followEvents } from '../docker/events.ts';
import { messageOf } from '../lib/errors.ts';
import { UndoStack } from '../lib/undo.ts';
import { probePause, watchHost } from './host-watch.ts';
import { maintain } from './maintenance.ts';
import { PathWatch } from './path-watch.ts';
import type { DaemonDeps } from './stages/daemon-deps.ts';
import { joinCluster } from './stages/join-cluster.ts';
import { prepareHost } from './stages/prepare-host.ts';
import { startContainers } from './stages/start-containers.ts';
import { startDns } from './stages/start-dns.ts';
import { startServers } from './stages/start-servers.ts';

/**
 * Builds the daemon stage by stage, and runs it until `signal`; each part's end stands beside its beginning, and all
 * are undone in reverse. Containers keep running, and keep their network, when it ends.
 */
export async function runParts(deps: DaemonDeps): Promise<void> {
  const { logger, conditions, signal, onReady } = deps;
  const undo = new UndoStack();
  try {
    const host = await prepareHost(deps, undo);
    const joined = await joinCluster({ ...deps, host }, undo);
    const dns = await startDns({ ...deps, host }, undo);
    const containers = await startContainers({ ...deps, host, joined, dns }, undo);
    const servers = await startServers({ ...deps, host, joined, dns, containers }, undo);

    const pathWatch = new PathWatch(conditions);
    const { seat } = joined;
    const members = () => seat.membership?.members.list() ?? [];
    const clustered = () => seat.membership !== undefined;
    const hostWatch = watchHost({ host, members, clustered, conditions, logger });
    await hostWatch.probe().catch((error: unknown) => {
      logger.warn({ reason: messageOf(error) }, "cannot check whether frames pass the host's firewall");
    });
    maintain({ tasks: { 'forwarding probe': hostWatch.probe }, pause: probePause, conditions, signal });
    maintain({
      tasks: {
        'host network': hostWatch.look,
        firewall: hostWatch.keepRules,
        attachments: () => containers.attachments.sweep(),
        'name server': async () => dns.server?.follow(),
        datapath: async () => {
          await seat.datapath?.repair();
        },
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
    await followEvents(host.engine, follower, { signal, conditions });
  } finally {
    for (const error of await undo.rollback())
      logger.error({ reason: messageOf(error) }, 'cannot close a part of the daemon');
  }
}
