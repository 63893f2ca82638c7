import { join } from 'node:path';
import { peerName } from '../cluster/peer.ts';
import { restore } from '../etcd/backup.ts';
import { etcdFolder } from '../etcd/files.ts';
import { WeaveError } from '../lib/errors.ts';
import { paths } from '../model/paths.ts';
import { addressesBeside, readNetwork, underlayOf } from '../net/host.ts';
import { LmdbStore } from '../store/lmdb.ts';

/** Begins the cluster's etcd anew on this host, with what a backup has. The daemon must have ended. */
export async function restoreCluster(file: string): Promise<void> {
  const store = LmdbStore.open(join(paths.state, 'store'));
  const name = await peerName(store, null).finally(() => store.close());
  const network = await readNetwork();
  const { address } = underlayOf(network);
  if (address === undefined) {
    throw new WeaveError('LAUNCH_FAILED', 'this host has no IPv4 address that others could reach');
  }
  const addresses = addressesBeside(network, address);
  await restore(file, { folder: etcdFolder, name, address, addresses });
}
