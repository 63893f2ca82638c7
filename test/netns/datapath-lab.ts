/** Hosts with a datapath each, and network namespaces as containers on them. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Ip } from '../../src/model/address.ts';
import type { Mac } from '../../src/model/mac.ts';
import type { PeerState } from '../../src/net/overlay/datapath.ts';
import type { RemoteEntry } from '../../src/net/overlay/forwarding.ts';
import { Capture } from '../support/capture.ts';
import { Host, Underlay, until } from '../support/host.ts';
import { startOvs } from '../support/ovs.ts';

// What IPv6 says to itself when links come up would be in the captures.
const noIpv6 = 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1';

const driver = fileURLToPath(new URL('./datapath-driver.ts', import.meta.url));

/** What the driver is told of its datapath; without trustedSubnets (null) it does not encrypt. */
export interface DriverOptions {
  kind: 'bridge' | 'ovs';
  vni: number;
  /** peer name */
  name: string;
  address: string;
  mtu: number;
  trustedSubnets: string[] | null;
  /** true: the others are told of its probe */
  probes: boolean;
}

/** What {@link Node.create} may be told. */
export type NodeOptions = Partial<Pick<DriverOptions, 'kind' | 'vni' | 'mtu' | 'trustedSubnets' | 'probes'>>;

/** A network namespace on a node, 10.32.N.K/12. */
export interface Container {
  pid: number;
  mac: string;
  ip: string;
}

/** A host, the datapath's process on it, and its containers. */
export class Node implements AsyncDisposable {
  readonly host: Host;
  readonly name: string;
  readonly nickname: string;
  publicKey: string | undefined;
  readonly containers: Container[] = [];
  readonly #number: number;
  readonly #options: DriverOptions;
  #driver: ChildProcess | undefined;
  #answers: AsyncIterator<string> | undefined;
  #driverPid = '';

  private constructor(host: Host, number: number, options: NodeOptions) {
    this.host = host;
    this.#number = number;
    this.name = `0e:00:00:00:00:${hex(number)}`;
    this.nickname = `host${number}`;
    const defaults = { kind: 'bridge', vni: 6784, mtu: 1450, trustedSubnets: null, probes: false } as const;
    this.#options = { ...defaults, ...options, name: this.name, address: host.address };
  }

  static async create(underlay: Underlay, number: number, options: NodeOptions = {}): Promise<Node> {
    const host = await Host.create({ engine: false, underlay, number, name: `host${number}` });
    await host.runOk(['sh', '-c', noIpv6]);
    return new Node(host, number, options);
  }

  /** Starts the datapath in a process of its own. */
  async start(): Promise<void> {
    await this.launch();
    this.publicKey = (await this.call<string | null>('start')) ?? undefined;
  }

  /** Starts the process, and no more. */
  async launch(): Promise<void> {
    const script = ['sh', '-c', 'echo $$; exec "$0" "$@"'];
    const argv = [
      process.execPath,
      '--import',
      import.meta.resolve('tsx'),
      driver,
      JSON.stringify(this.#options),
    ];
    const child = this.host.spawn([...script, ...argv]);
    child.stderr?.pipe(process.stderr);
    if (child.stdout === null) throw new Error('no stdout');
    this.#driver = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#driverPid = (await this.#answers.next()).value as string;
  }

  /** One operation of the driver. @throws Error with `code` in its text */
  async call<T = null>(op: string, argument: unknown = null): Promise<T> {
    this.#driver?.stdin?.write(`${JSON.stringify({ op, argument })}\n`);
    const line = await this.#answers?.next();
    if (line === undefined || line.done) throw new Error(`the driver of ${this.nickname} has ended`);
    const answer = JSON.parse(line.value) as { result: T; error?: string; code?: string };
    if (answer.error !== undefined) throw new Error(`${answer.code}: ${answer.error}`);
    return answer.result;
  }

  /** Ends the process as a crash would. */
  async crash(): Promise<void> {
    const ended = once(this.#driver as ChildProcess, 'exit');
    await this.host.run(['kill', '-9', this.#driverPid]);
    await ended;
  }

  /** By which the others know that its probe answers. */
  get id(): string | undefined {
    return this.#options.probes ? `id of ${this.name}` : undefined;
  }

  state(): Promise<PeerState[]> {
    return this.call('state');
  }

  /** Makes a network namespace and attaches it. */
  async addContainer(ip?: string): Promise<Container> {
    const number = this.containers.length + 1;
    const child = this.host.spawn([
      'unshare',
      '-n',
      'sh',
      '-c',
      `${noIpv6} && ip link set lo up && echo $$ && exec sleep 1000000`,
    ]);
    if (child.stdout === null) throw new Error('no stdout');
    const [pid] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const container = {
      pid: Number(pid),
      mac: `02:00:00:00:${hex(this.#number)}:${hex(number)}`,
      ip: ip ?? `10.32.${this.#number}.${number}`,
    };
    await this.call('attach', { ...container, cidr: `${container.ip}/12` });
    this.containers.push(container);
    return container;
  }

  /** argv that runs `argv` in a container, on the host. */
  within({ pid }: Container, argv: readonly string[]): string[] {
    return ['nsenter', `--net=/proc/${pid}/ns/net`, '--', ...argv];
  }

  async pings(from: Container, to: Container, count = 1): Promise<boolean> {
    const argv = ['busybox', 'ping', '-c', String(count), '-W', '5', to.ip];
    return (await this.host.run(this.within(from, argv))).code === 0;
  }

  /** Waits until a ping is answered: a busy machine may lose the first. */
  async reaches(from: Container, to: Container): Promise<void> {
    await until(`${from.ip} reaches ${to.ip}`, () => this.pings(from, to));
  }

  /** Containers, in the form in which other hosts know them. */
  entries(): RemoteEntry[] {
    return this.containers.map(({ mac, ip }) => ({ mac: mac as Mac, ips: [ip as Ip], peer: this.name }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
  }
}

/** Nodes on one underlay, each with its datapath started, one container, and all of them introduced. */
export class Cluster implements AsyncDisposable {
  readonly underlay: Underlay;
  readonly nodes: Node[] = [];

  private constructor(underlay: Underlay) {
    this.underlay = underlay;
  }

  /** @param options of each node */
  static async create(...options: NodeOptions[]): Promise<Cluster> {
    const cluster = new Cluster(await Underlay.create());
    try {
      for (const [i, each] of options.entries()) {
        const node = await Node.create(cluster.underlay, i + 1, each);
        cluster.nodes.push(node);
        if (each.kind === 'ovs') await startOvs(node.host);
        await node.start();
        await node.addContainer();
      }
      await introduce(cluster.nodes);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
    await this.underlay[Symbol.asyncDispose]();
  }
}

/** The container that every node of a {@link Cluster} has. */
export function first(node: Node): Container {
  return node.containers[0] as Container;
}

/** The frame in a VXLAN packet: who it is for, and its type. */
export function inner(packet: Buffer): { to: string; type: number } {
  return { to: packet.toString('hex', 50, 56), type: packet.readUInt16BE(62) };
}

/** How many of VXLAN packets carry IP. (Containers verify their neighbours by ARP when they like.) */
export const carryingIp = (packets: readonly Buffer[] = []) =>
  packets.filter((packet) => inner(packet).type === 0x0800).length;

/** What a container sends to everyone, an ARP request and multicast, reaches the containers of all other nodes. */
export async function floods(from: Node, others: readonly Node[]): Promise<void> {
  const captures = await Promise.all(
    others.map((node) =>
      Capture.start(node.host, 'ethwe', 'ether multicast', (argv) => node.within(first(node), argv)),
    ),
  );
  const [other] = others;
  assert.ok(other);
  for (const ip of ['10.47.0.2', '239.1.2.3']) await from.pings(first(from), { ...first(other), ip });
  for (const capture of captures) {
    const types = new Set((await capture.stop()).map((packet) => packet.readUInt16BE(12)));
    assert.deepEqual([...types].sort(), [0x0800, 0x0806]);
  }
}

/** Sends zeros by TCP between the first containers of two nodes. @returns bytes received */
export async function transfer({
  from,
  to,
  bytes,
}: {
  from: Node;
  to: Node;
  bytes: number;
}): Promise<number> {
  const listen = ['sh', '-c', 'timeout 300 socat -u TCP-LISTEN:7000,reuseaddr STDOUT | wc -c'];
  const received = to.host.runOk(to.within(first(to), listen));
  const send = `head -c ${bytes} /dev/zero | timeout 300 socat -u STDIN TCP:${first(to).ip}:7000,retry=600,interval=0.1`;
  await from.host.runOk(from.within(first(from), ['sh', '-c', send]));
  return Number(await received);
}

/** Tells each node of all others, and of their containers. */
export async function introduce(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) {
    const others = nodes.filter((other) => other !== node);
    await node.call(
      'setPeers',
      others.map(({ name, nickname, host: { address }, publicKey, id }) => ({
        name,
        nickname,
        address,
        publicKey,
        id,
      })),
    );
    await node.call(
      'resetRemote',
      others.flatMap((other) => other.entries()),
    );
  }
}

function hex(number: number): string {
  return number.toString(16).padStart(2, '0');
}
