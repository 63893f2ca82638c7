/**
 * Writes what an earlier weavets keeps, by its own code, for the tests of upgrades:
 * `node --import tsx scripts/former-state.ts CHECKOUT FOLDER`, with a checkout of 0.1.0 as it was before its files had
 * folders, and its node_modules. FOLDER gets the host's own store, and `cluster.json` with what it told the others.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry, Store } from '../src/store/store.ts';

const [checkout, folder] = process.argv.slice(2);
if (checkout === undefined || folder === undefined) throw new Error('name the checkout and the folder');

/** A module of that version: its types are its own. */
// biome-ignore lint/suspicious/noExplicitAny: nothing here knows them
const load = (path: string): Promise<any> => import(join(checkout, 'src', path));

const { LmdbStore } = await load('store/lmdb.ts');
const { Cidr } = await load('lib/cidr.ts');
const { Allocator } = await load('ipam/allocator.ts');
const { Blocks } = await load('ipam/blocks.ts');
const { wholeSpace } = await load('ipam/space.ts');
const { NameTable } = await load('dns/names.ts');
const { Naming } = await load('daemon/naming.ts');
const { Overrides } = await load('daemon/overrides.ts');
const { keepPeerName } = await load('daemon/peer.ts');
const { agreeOnSettings } = await load('daemon/cluster-settings.ts');

const peer = '02:00:00:00:00:01';
const [one, two, three] = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
const range = Cidr.parse('10.32.0.0/12');
const logger = { info() {}, warn() {}, debug() {}, error() {} };
const work = await mkdtemp(join(tmpdir(), 'weavets-former-'));
const local: Store = LmdbStore.open(join(work, 'local'));
const shared: Store = LmdbStore.open(join(work, 'shared'));
const stop = new AbortController();

await keepPeerName(local, peer);
const config = { ipallocRange: String(range), dnsDomain: 'weave.local.', store: 'etcd://x' };
await agreeOnSettings(config, { shared, local, seal: null });
const { signal } = stop;
const blocks = await Blocks.start({ shared, local, peer, range, logger, signal });
const allocator = await Allocator.load({ range, defaultSubnet: range, store: local, space: wholeSpace });
blocks.attach(allocator);
const addresses = [
  await allocator.allocate(one, range),
  await allocator.claim(two, Cidr.parse('10.32.5.5/12')),
  await allocator.allocate(two, Cidr.parse('10.32.8.0/24')),
  await allocator.claim('weave:expose', Cidr.parse('10.32.0.200/12')),
];
await local.commit([{ key: 'expose/10.32.0.200/12', value: JSON.stringify({ masquerade: true }) }]);
const choice = { multicastRoute: true, rewriteHosts: true, addHosts: ['x:10.0.0.1'], dns: true };
await (await Overrides.load(local)).set(three, { cidrs: [Cidr.parse('10.32.8.9/24')], choice });
const names = new NameTable();
const parts = {
  names,
  store: local,
  domain: 'weave.local.',
  origin: peer,
  changed() {},
  pidOf: async () => 4711,
};
const naming = await Naming.load(parts);
await naming.add(one, 'alias.weave.local', [addresses[0].address]);
await naming.add('weave:extern', 'printer.weave.local', ['192.0.2.7']);

const records = (await shared.list('')).map(({ key, value }: Entry) => [key, value]);
stop.abort();
await local.close();
await shared.close();
await mkdir(folder, { recursive: true });
await copyFile(join(work, 'local/data.mdb'), join(folder, 'data.mdb'));
await writeFile(join(folder, 'cluster.json'), `${JSON.stringify(Object.fromEntries(records), null, 2)}\n`);
await rm(work, { recursive: true });
