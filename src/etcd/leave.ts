import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../lib/errors.ts';
import { type CertificateAndKey, hostOf } from './authority.ts';
import { readClusterFile } from './cluster-file.ts';
import { etcdFiles, readAuthority, readMemberId } from './files.ts';
import { EtcdMember } from './member-process.ts';
import { endpointOf, Members } from './members.ts';

/** ms in which a learner must catch up so that it can take the place of the only voter */
const patience = 20_000;

/**
 * Takes this host out of etcd's members, so that the others do not wait for it, and ends its etcd. The only voter
 * leaves its place to the learner, where there is one. The state stays on disk, for the caller to remove.
 * @throws WeaveError STORE_UNAVAILABLE, ETCD_FAILED when the others could not be told; its etcd has ended all the same
 */
export async function leaveEtcd(folder: string): Promise<void> {
  const [ca, cluster] = [await readAuthority(folder), await readClusterFile(folder)];
  if (ca === undefined || cluster === undefined) return;
  const members = new Members({ endpoints: cluster.endpoints, ca });
  const id = await readMemberId(folder);
  const host = hostOf(await readFile(etcdFiles(folder).client.cert, 'utf8'));
  try {
    if (host !== undefined) await members.expel(host);
    if (id !== undefined) await depart({ members, ca, id });
  } finally {
    await (await EtcdMember.find(folder))?.stop();
  }
}

/** Who leaves, and whom to ask about it. */
interface Departure {
  members: Members;
  ca: CertificateAndKey;
  /** of this host's member */
  id: string;
}

async function depart({ members, ca, id }: Departure): Promise<void> {
  const end = performance.now() + patience;
  for (let asked = members; ; ) {
    const { members: list } = await asked.list();
    const own = list.find((member) => member.id === id);
    if (own === undefined) return;
    const voters = list.filter(({ learner }) => !learner);
    const learner = list.find((member) => member.learner);
    const last = voters.length === 1 && voters[0] === own;
    // Alone, it takes everything along.
    if (last && learner === undefined) return;
    // A member that removes itself may end before it has answered: then the others know.
    const reachable = [own, ...list.filter((member) => member !== own)];
    asked = new Members({ endpoints: reachable.map(({ address }) => endpointOf(address)), ca });
    try {
      if (last && learner) await asked.promote(learner.id);
      else return await asked.remove(own.id);
    } catch (error) {
      if (!hasCode(error, 'ETCD_FAILED') || performance.now() > end) throw error;
      await delay(250);
    }
  }
}
