import type { ClusterDeps } from '../../src/cluster/registration.ts';

/** In place of the kernel: takes everything and does nothing. */
export const noDatapath: ClusterDeps['datapath'] = {
  vni: 6784,
  publicKey: null,
  setPeers: async () => {},
  resetRemote: async () => {},
  putRemote: async () => {},
  deleteRemote: async () => {},
};
