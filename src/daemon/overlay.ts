import type { LaunchConfig } from '../control/contract.ts';
import { Cidr } from '../lib/cidr.ts';
import { WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { Datapath } from '../net/datapath.ts';
import type { Underlay } from '../net/host.ts';
import { KeySeal } from '../net/seal.ts';
import { EtcdStore } from '../store/etcd.ts';

/** The VXLAN network identifier of weavets. */
const vni = 6784;

/** The datapath between hosts, for a cluster or where Open vSwitch is asked for; undefined: the bridge alone does. */
export function makeDatapath(
  config: LaunchConfig,
  { underlay, mtu, runDir, logger }: { underlay: Underlay; mtu: number; runDir: string; logger: Logger },
): Datapath | undefined {
  if (config.store === 'lmdb' && config.datapath === 'bridge') return undefined;
  const { address } = underlay;
  if (address === undefined) {
    throw new WeaveError(
      'LAUNCH_FAILED',
      'this host has no IPv4 address that others could reach; set its network up first',
    );
  }
  const trustedSubnets = config.trustedSubnets.map((subnet) => Cidr.parse(subnet));
  const encryption = config.password === null ? null : { underlayMtu: underlay.mtu, trustedSubnets, runDir };
  return new Datapath({ kind: config.datapath, vni, address, mtu, encryption, logger });
}

/** The cluster's store; undefined on a host that is alone. @throws WeaveError STORE_UNAVAILABLE, later, by its calls */
export async function connectStore(config: LaunchConfig, logger: Logger): Promise<EtcdStore | undefined> {
  if (config.store === 'lmdb') return undefined;
  const hosts = config.store.replace('etcd://', '').split(',');
  return EtcdStore.connect({ endpoints: hosts.map((host) => `http://${host}`), logger });
}

/** What seals the hosts' keys; null without a password. */
export function sealOf(config: LaunchConfig): Promise<KeySeal> | null {
  return config.password === null ? null : KeySeal.derive(config.password, 'weavets');
}
