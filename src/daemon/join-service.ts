import { findSettings } from '../cluster/settings.ts';
import { createAuthority, issue } from '../etcd/authority.ts';
import { readClusterFile } from '../etcd/cluster-file.ts';
import { etcdFolder, readAuthority } from '../etcd/files.ts';
import type { Welcome } from '../etcd/join/messages.ts';
import { type Door, JoinServer } from '../etcd/join/server.ts';
import { Tokens } from '../etcd/join/tokens.ts';
import { Members } from '../etcd/members.ts';
import { WeaveError } from '../lib/errors.ts';
import { joinPort } from '../model/ports.ts';
import { removedRecord } from '../store/records/removed.ts';
import type { Seat } from './seat.ts';
import type { DaemonDeps } from './stages/daemon-deps.ts';
import type { PreparedHost } from './stages/prepare-host.ts';

/** What a {@link JoinService} needs. */
export interface JoinServiceDeps extends Pick<DaemonDeps, 'conditions' | 'logger'> {
  host: PreparedHost;
  seat: Seat;
  admit: Door['admit'];
}

/** Where other hosts ask to be let in: on a host of a managed cluster, and on one that a password or `--open` opens. */
export class JoinService {
  readonly #deps: JoinServiceDeps;
  #server: JoinServer | undefined;

  constructor(deps: JoinServiceDeps) {
    this.#deps = deps;
  }

  /** Serves, if this host is to, with its current certificate. @throws WeaveError ADDRESS_IN_USE */
  async serve(): Promise<void> {
    const { host, seat, admit, logger, conditions } = this.#deps;
    const { config, underlay, firewall, peer: name } = host;
    const { address } = underlay;
    const managed = (await readClusterFile(etcdFolder)) !== undefined;
    const wanted = managed || (!seat.membership && (config.password !== null || config.open));
    if (!wanted || address === undefined) return;
    if (config.open) {
      const text = `every machine that reaches TCP port ${joinPort} of this host may join its network (--open)`;
      conditions.set('CLUSTER_OPEN', text);
    }
    // Without a cluster it has no authority: those who ask rely on the password, or trust anyone.
    const ca = (await readAuthority(etcdFolder)) ?? createAuthority('none');
    const certificate = { ...issue({ ca, kind: 'member', name, addresses: [address] }), ca: ca.cert };
    if (this.#server) return this.#server.setCertificate(certificate);
    const checkToken: Door['checkToken'] = async (secret) =>
      seat.membership ? new Tokens(seat.membership.shared, logger).check(secret) : 'unknown';
    const door = { password: config.password, open: config.open, checkToken, admit };
    this.#server = await JoinServer.start({ address, port: joinPort, certificate, door, logger });
    await firewall.set({ joinOpen: true });
  }

  async close(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }
}

/** What a host gets when it is let into this one's cluster. @throws WeaveError USAGE, STORE_UNAVAILABLE */
export async function welcomeOf({ membership }: Seat): Promise<Welcome> {
  const authority = await readAuthority(etcdFolder);
  const file = await readClusterFile(etcdFolder);
  if (!authority || !file || !membership) {
    throw new WeaveError(
      'USAGE',
      'that host shares an etcd of its own with others; launch with --store, as there',
    );
  }
  const settings = await findSettings(membership.shared);
  return {
    authority,
    endpoints: file.endpoints,
    range: settings?.range?.toString() ?? null,
    domain: settings?.domain ?? membership.config.dnsDomain,
    password: membership.config.password,
  };
}

/**
 * Makes etcd serve a host that may join. One that was removed knows the password all the same: it needs a token.
 * @throws WeaveError JOIN_REFUSED, STORE_UNAVAILABLE
 */
export async function admitHost(
  { membership }: Seat,
  name: string,
  by: 'token' | 'password' | 'open',
): Promise<void> {
  const members = await etcdOf();
  if (membership === undefined || members === undefined) return;
  const key = removedRecord.keyOf(name);
  const removed = await membership.shared.get(key);
  if (removed && by !== 'token') {
    throw new WeaveError(
      'JOIN_REFUSED',
      "it was removed from this cluster; 'weavets cluster token' on a host of the cluster prints what lets it in again",
    );
  }
  await members.admit(name);
  if (removed) await membership.shared.commit([{ key, value: null }]);
}

/** Makes etcd refuse a host that is removed, and the others not let it in by password. @throws WeaveError STORE_UNAVAILABLE */
export async function expelHost({ membership }: Seat, name: string): Promise<void> {
  const members = await etcdOf();
  if (membership === undefined || members === undefined) return;
  // First: it must not ask etcd to know it again.
  await membership.shared.commit([removedRecord.write(name, { at: Date.now() })]);
  await members.expel(name);
}

/** undefined: weavets runs none for this host */
async function etcdOf(): Promise<Members | undefined> {
  const [ca, file] = [await readAuthority(etcdFolder), await readClusterFile(etcdFolder)];
  return ca && file && new Members({ endpoints: file.endpoints, ca });
}
