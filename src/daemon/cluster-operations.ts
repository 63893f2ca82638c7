import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { readClusterStatus } from '../cluster/cluster-status.ts';
import type { Targets } from '../cluster/targets.ts';
import type { OperationHandlers } from '../control/server.ts';
import { backUp } from '../etcd/backup.ts';
import { etcdFolder } from '../etcd/files.ts';
import { fingerprintOf, formatToken, parseToken } from '../etcd/join/token.ts';
import { WeaveError } from '../lib/errors.ts';
import type { Door } from './door.ts';
import type { Seat } from './seat.ts';

/** What carries out the operations between hosts. */
export interface ClusterOperationsDeps {
  seat: Seat;
  door: Door;
  targets: Targets;
}

type Handled =
  | 'clusterInit'
  | 'clusterMove'
  | 'clusterJoin'
  | 'clusterToken'
  | 'clusterRevoke'
  | 'clusterStatus'
  | 'clusterBackup'
  | 'leave'
  | 'connect'
  | 'forget'
  | 'prime';

/** ms for which the token printed by `cluster init` lasts */
const firstTtl = 3_600_000;
/** Marks a member of the user's own etcd, where a host could be named too. */
const etcdScheme = /^etcds?:\/\//;

/** The operations by which hosts become a cluster, and leave it. */
export function clusterOperations({
  seat,
  door,
  targets,
}: ClusterOperationsDeps): Pick<OperationHandlers, Handled> {
  async function newToken(ttl: number) {
    const { tokens, authority } = await door.tokens();
    const secret = await tokens.create(ttl);
    const { raw } = new X509Certificate(authority.cert);
    return {
      token: formatToken({ fingerprint: fingerprintOf(raw), secret }),
      host: door.address,
      expires: new Date(Date.now() + ttl).toISOString(),
    };
  }

  /** Members of the user's own etcd. @throws WeaveError USAGE: this host uses none */
  async function changeMembers(words: readonly string[], change: 'add' | 'remove'): Promise<void> {
    if (words.length === 0) return;
    const members = seat.membership?.members;
    if (!members)
      throw new WeaveError('USAGE', `this host uses no etcd; ${words.join(' ')} means nothing here`);
    await members[change](words.flatMap((word) => word.replace(etcdScheme, '').split(',')));
  }

  return {
    clusterInit: async (wish) => {
      await door.found(wish);
      return newToken(firstTtl);
    },
    clusterMove: async (to) => {
      await door.moveTo(to);
      return {};
    },
    clusterJoin: async ({ host, token }) => {
      await door.join(host, { kind: 'token', ...parseToken(token) });
      return {};
    },
    clusterToken: ({ ttl }) => newToken(ttl),
    clusterRevoke: async ({ token }) => {
      const { tokens } = await door.tokens();
      if (token === null) return { revoked: await tokens.revokeAll() };
      return { revoked: Number(await tokens.revoke(parseToken(token).secret)) };
    },
    clusterStatus: async () => {
      const { membership } = seat;
      if (membership) return readClusterStatus({ folder: etcdFolder, self: door.name, ...membership });
      throw new WeaveError(
        'USAGE',
        "this host is in no cluster; 'weavets cluster init' makes one, 'weavets cluster join' takes it into another's",
      );
    },
    clusterBackup: async ({ file }) => {
      await backUp(etcdFolder, file);
      return { bytes: (await stat(file)).size };
    },
    leave: () => door.leave().then(() => ({})),
    connect: async ({ peers, replace }) => {
      const hosts = peers.filter((peer) => !etcdScheme.test(peer));
      await changeMembers(
        peers.filter((peer) => etcdScheme.test(peer)),
        'add',
      );
      await door.connect([...(replace ? [] : targets.list()), ...hosts]);
      return {};
    },
    forget: async ({ peers }) => {
      await changeMembers(
        peers.filter((peer) => etcdScheme.test(peer)),
        'remove',
      );
      await door.forget(peers);
      return {};
    },
    prime: async (_, signal) => {
      await door.settled(signal);
      return {};
    },
  };
}
