import { openSync, readFileSync } from 'node:fs';
/** Runs inside a laboratory host: a bridge, a datapath, and veths, by one JSON command a line. */
import { createInterface } from 'node:readline';
import { type AttachedContainer, PathMtu } from '../../src/containers/path-mtu.ts';
import { messageOf, WeaveError } from '../../src/lib/errors.ts';
import { createLogger } from '../../src/lib/log.ts';
import { Cidr, type Ip } from '../../src/model/address.ts';
import type { Mac } from '../../src/model/mac.ts';
import { ensureBridge } from '../../src/net/bridge.ts';
import { Firewall, removeRules } from '../../src/net/firewall.ts';
import type { FirewallState } from '../../src/net/firewall-rules.ts';
import { forwardAdvice, probeForwarding } from '../../src/net/forward-probe.ts';
import { outsideLinks, readNetwork, underlayOf } from '../../src/net/host.ts';
import { IpBatch } from '../../src/net/ip.ts';
import { NetnsWorker } from '../../src/net/netns-worker.ts';
import { Datapath, type PeerEndpoint, removeDatapath } from '../../src/net/overlay/datapath.ts';
import type { RemoteEntry } from '../../src/net/overlay/forwarding.ts';
import { Veths } from '../../src/net/veth.ts';
import type { DriverOptions } from './datapath-lab.ts';

const { name, trustedSubnets, probes: _, ...options } = JSON.parse(process.argv[2] ?? '') as DriverOptions;
const ip = new IpBatch();
const worker = new NetnsWorker();
const network = await readNetwork();
const firewall = new Firewall({
  outside: outsideLinks(network, underlayOf(network).link),
  peers: undefined,
  encryption: trustedSubnets === null ? null : { trustedSubnets: trustedSubnets.map(Cidr.parse) },
  dns: { addresses: [options.address], port: 53, openToOutside: false, limitsSources: true },
  closedPorts: [2379],
  dnsRedirects: [],
  loopbackPorts: [6782],
  storeMembers: [{ address: '10.250.0.254', port: 2379 }],
  members: null,
  exposed: [],
  joinOpen: false,
});
const datapath = new Datapath({
  ...options,
  id: `id of ${name}`,
  encryption:
    trustedSubnets === null ? null : { trustedSubnets: trustedSubnets.map(Cidr.parse), underlayMtu: 1500 },
  guard: firewall,
  logger: createLogger(),
});

const attachments: AttachedContainer[] = [];
const pathMtu = new PathMtu({ attachments: { list: () => attachments }, exposed: () => [], paths: datapath });
datapath.onPathsChanged = () => void pathMtu.apply();

const operations = {
  start: async () => {
    await ensureBridge(ip, { mtu: datapath.mtu, mac: name });
    await datapath.start();
    return datapath.publicKey;
  },
  attach: async ({ pid, mac, cidr }: { pid: number; mac: string; cidr: string }) => {
    const holder = {
      pid,
      alive: true,
      openNetns: () => openSync(`/proc/${pid}/ns/net`, 'r'),
      routeTable: () => readFileSync(`/proc/${pid}/net/route`, 'utf8'),
    };
    const cidrs = [Cidr.parse(cidr)];
    const veths = new Veths({ ip, worker, mtu: datapath.mtu });
    const veth = await veths.prepare({ process: holder, containerId: 'c', mac, cidrs, multicast: true });
    await veth.finish();
    const choice = { multicastRoute: true };
    attachments.push({ info: { id: String(pid), pid }, process: holder, cidrs, choice });
    await pathMtu.apply();
  },
  setPeers: (peers: PeerEndpoint[]) => datapath.setPeers(peers),
  resetRemote: (entries: RemoteEntry[]) => datapath.resetRemote(entries),
  putRemote: (entry: RemoteEntry) => datapath.putRemote(entry),
  deleteRemote: ({ mac, peer }: RemoteEntry) => datapath.deleteRemote(mac, peer),
  /** Sets `count` made-up entries of a peer. @returns seconds, and bytes of this process before and after */
  many: async ({ count, peer }: { count: number; peer: string }) => {
    const entries = Array.from({ length: count }, (_, i): RemoteEntry => {
      const [a, b, c] = [i >> 16, (i >> 8) & 255, i & 255];
      const mac = `06:00:00:${[a, b, c].map((n) => n.toString(16).padStart(2, '0')).join(':')}`;
      return { mac: mac as Mac, ips: [`10.${40 + a}.${b}.${c}` as Ip], peer };
    });
    const before = process.memoryUsage().rss;
    const start = performance.now();
    await datapath.resetRemote(entries);
    return { seconds: (performance.now() - start) / 1000, before, after: process.memoryUsage().rss };
  },
  repair: () => datapath.repair(),
  applyMtu: () => pathMtu.apply(),
  rules: (changes: Partial<FirewallState>) => firewall.set(changes),
  keepRules: () => firewall.keep(),
  removeRules: () => removeRules(),
  probe: () => probeForwarding(),
  advice: () => forwardAdvice(),
  state: () => datapath.state(),
  stop: async () => {
    await datapath.stop();
    ip.close();
  },
  remove: () => removeDatapath(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, argument } = JSON.parse(line) as { op: keyof typeof operations; argument: never };
  try {
    const result = (await operations[op](argument)) ?? null;
    process.stdout.write(`${JSON.stringify({ result })}\n`);
  } catch (error) {
    const code = error instanceof WeaveError ? error.code : 'none';
    process.stdout.write(`${JSON.stringify({ error: messageOf(error), code })}\n`);
  }
}
