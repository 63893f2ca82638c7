import { readFile } from 'node:fs/promises';
import type { LaunchConfig } from '../config/config.ts';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { Cidr } from '../model/address.ts';
import { membersOf } from '../model/members.ts';
import type { Underlay } from '../net/host.ts';
import { Datapath, type DatapathOptions } from '../net/overlay/datapath.ts';
import { EtcdStore } from '../store/etcd/etcd.ts';

/** The VXLAN network identifier of weavets. */
const vni = 6784;

/** The datapath between hosts, for a cluster or where Open vSwitch is asked for; undefined: the bridge alone does. */
export function makeDatapath(
  config: LaunchConfig,
  deps: Pick<DatapathOptions, 'id' | 'mtu' | 'guard' | 'logger'> & { underlay: Underlay },
): Datapath | undefined {
  if (config.store === 'lmdb' && config.datapath === 'bridge') return undefined;
  const { underlay, id, mtu, guard, logger } = deps;
  const { address } = underlay;
  if (address === undefined) {
    throw new WeaveError(
      'LAUNCH_FAILED',
      'this host has no IPv4 address that others could reach; set its network up first',
    );
  }
  const trustedSubnets = config.trustedSubnets.map((subnet) => Cidr.parse(subnet));
  const encryption = config.password === null ? null : { underlayMtu: underlay.mtu, trustedSubnets };
  return new Datapath({ kind: config.datapath, id, vni, address, mtu, encryption, guard, logger });
}

/** The cluster's store; undefined on a host that is alone. @throws WeaveError TLS_CONFIG; STORE_UNAVAILABLE by its calls */
export async function connectStore(
  config: Pick<LaunchConfig, 'store' | 'etcd'>,
  logger: Logger,
): Promise<EtcdStore | undefined> {
  if (config.store === 'lmdb') return undefined;
  const { user, password } = config.etcd ?? {};
  const tls = await etcdTls(config);
  const [scheme = ''] = config.store.split(':');
  const endpoints = membersOf(config.store).map((member) => etcdEndpoint(scheme, member));
  return EtcdStore.connect({ endpoints, tls, user, password, logger });
}

/** `http(s)://HOST:PORT` of a member, as the store's scheme has it. */
export function etcdEndpoint(scheme: string, member: string): string {
  return `${scheme === 'etcds' ? 'https' : 'http'}://${member}`;
}

/** Certificates and key towards etcd, as PEM. @throws WeaveError TLS_CONFIG */
export async function etcdTls({ etcd }: Pick<LaunchConfig, 'etcd'>) {
  const { ca, cert, key } = etcd ?? {};
  return { ca: await pem(ca), cert: await pem(cert), key: await pem(key) };
}

async function pem(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new WeaveError('TLS_CONFIG', `cannot read ${path}: ${messageOf(cause)}`, { cause });
  });
}
