import { readFile } from 'node:fs/promises';
import type { CertificateAndKey } from '../../etcd/authority.ts';
import { etcdFiles, etcdFolder, readAuthority } from '../../etcd/files.ts';
import { OwnMember } from '../../etcd/own-member.ts';
import { endpointsOf, Steward } from '../../etcd/steward.ts';
import { atMost } from '../../lib/lock.ts';
import type { UndoStack } from '../../lib/undo.ts';
import { addressesBeside } from '../../net/host.ts';
import type { EtcdStore } from '../../store/etcd/etcd.ts';
import type { DaemonDeps } from './daemon-deps.ts';
import type { PreparedHost } from './prepare-host.ts';

/** ms that it may take to end: a call to etcd under way is not worth more */
const lastLook = 5_000;

interface MemberDeps extends Pick<DaemonDeps, 'conditions' | 'logger' | 'signal'> {
  host: Pick<PreparedHost, 'peer' | 'underlay' | 'network'>;
}

/** This host's part in the etcd that weavets runs. */
export interface StartedMember {
  own: OwnMember;
  ca: CertificateAndKey;
  self: { name: string; address: string };
}

/** The host's etcd goes on, before anything asks for the store. @returns undefined: weavets runs none for this host */
export async function startMember({ host, ...deps }: MemberDeps): Promise<StartedMember | undefined> {
  const ca = await readAuthority(etcdFolder);
  const { address } = host.underlay;
  if (ca === undefined || address === undefined) return undefined;
  const self = { name: host.peer, address };
  const addresses = () => addressesBeside(host.network, address);
  const own = new OwnMember({ folder: etcdFolder, self, ca, addresses, ...deps });
  await own.resume();
  return { own, ca, self };
}

interface StewardDeps extends Pick<DaemonDeps, 'conditions' | 'logger' | 'signal'> {
  member: StartedMember;
  shared: EtcdStore;
  /** where this host finds its store, `address:port` each */
  members: { set(members: readonly string[]): Promise<void> };
  firewall: PreparedHost['firewall'];
}

/** Looks after the cluster's etcd; this host goes to those that vote, and lets in those that are members. */
export function startSteward(deps: StewardDeps, undo: UndoStack): Steward {
  const { member, shared, members, firewall, ...rest } = deps;
  const steward = Steward.start({
    folder: etcdFolder,
    ...member,
    ...rest,
    shared,
    changed: async (list) => {
      await firewall.set({ members: list.map(({ address }) => address) });
      await members.set(endpointsOf(list));
    },
    renewed: async () => {
      const { ca, client } = etcdFiles(etcdFolder);
      const [cert, key] = [await readFile(client.cert, 'utf8'), await readFile(client.key, 'utf8')];
      shared.setTls({ ca: await readFile(ca.cert, 'utf8'), cert, key });
    },
  });
  undo.push(() => atMost(lastLook, steward.ended));
  return steward;
}
