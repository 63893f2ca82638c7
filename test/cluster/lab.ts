/** Three hosts, each with its own engine and daemon, and an etcd on the network between them. */
import assert from 'node:assert/strict';
import { eachOf } from '../../src/lib/lock.ts';
import type { Report } from '../../src/report/report.ts';
import { Etcd, type EtcdOptions } from '../support/etcd.ts';
import { Host, Underlay, until } from '../support/host.ts';
import { firstEngine } from '../support/use-host.ts';

/** Of every host's engine. */
const { suite } = firstEngine;

/** Where the etcd of a laboratory listens: on the network itself, so no host's end is its end. */
const etcdAddress = '10.250.0.254';

/** An etcd on the underlay, as `launch` is told of it. */
export const storeOf = (etcd: Etcd) => `etcd://${etcd.endpoints.map((url) => new URL(url).host).join(',')}`;

/** Starts an etcd that all hosts on the underlay reach. */
export const etcdOn = ({ netns }: Underlay, options: EtcdOptions = {}) =>
  Etcd.start({ ...options, at: { netns, address: etcdAddress } });

/** Hosts 1 to 3, called host1 to host3, on one underlay. */
export class Lab implements AsyncDisposable {
  readonly underlay: Underlay;
  readonly hosts: Host[] = [];

  private constructor(underlay: Underlay) {
    this.underlay = underlay;
  }

  static async create(): Promise<Lab> {
    const lab = new Lab(await Underlay.create());
    const { underlay, hosts } = lab;
    const making = [1, 2, 3].map((number) => Host.create({ underlay, number, name: `host${number}`, suite }));
    const made = await Promise.allSettled(making);
    for (const result of made) if (result.status === 'fulfilled') hosts.push(result.value);
    const failed = made.find((result) => result.status === 'rejected');
    if (failed === undefined) return lab;
    await lab[Symbol.asyncDispose]();
    throw failed.reason;
  }

  host(number: number): Host {
    return this.hosts[number - 1] as Host;
  }

  /** Ends a host as a power cut does. */
  async destroy(number: number): Promise<void> {
    const [host] = this.hosts.splice(number - 1, 1);
    await host?.[Symbol.asyncDispose]();
  }

  /** Replaces a destroyed machine by a new one: host 3. */
  async add(name: string): Promise<Host> {
    const host = await Host.create({ underlay: this.underlay, number: 3, name, suite });
    this.hosts.push(host);
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts) await host[Symbol.asyncDispose]();
    await this.underlay[Symbol.asyncDispose]();
  }
}

/** Runs a command that must succeed. @returns its standard output */
export async function weavets(on: Host, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await on.weavets(...argv);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** Runs a command that must be refused with this message. */
export async function refused(on: Host, argv: readonly string[], message: RegExp): Promise<void> {
  const { code, stderr } = await on.weavets(...argv);
  assert.equal(code, 1, `${argv.join(' ')} was not refused`);
  assert.match(stderr, message);
}

/** What the etcd of a host answers to whoever shows another's client certificate. */
export function askEtcd(on: Host, at: Host, ...argv: string[]) {
  const folder = '/var/lib/weave/etcd';
  const access = ['--cacert', `${folder}/ca.crt`, '--cert', `${folder}/client.crt`];
  const endpoint = ['--endpoints', `https://${at.address}:6786`, '--key', `${folder}/client.key`];
  return on.run(['etcdctl', ...endpoint, ...access, ...argv], { env: { ETCDCTL_API: '3' } });
}

/** Pids, inside, of the daemons. */
const daemons = new WeakMap<Host, string>();

export async function launch(on: Host, ...flags: string[]): Promise<void> {
  daemons.set(on, await weavets(on, 'launch', ...flags));
}

/** Pid, inside, of the daemon. */
export async function daemonOf(on: Host): Promise<number> {
  const socket = ['--unix-socket', '/var/run/weave/control.sock'];
  const answer = await on.runOk(['curl', '-sf', ...socket, '-X', 'POST', 'http://weavets/op/ping']);
  return (JSON.parse(answer) as { pid: number }).pid;
}

/** Kills the daemon that {@link launch} started last. */
export const crash = (on: Host) => on.runOk(['kill', '-9', daemons.get(on) ?? '']);

/** Starts a container through the proxy. @returns its address */
export async function start(on: Host, name: string, ...flags: string[]): Promise<string> {
  await on.proxied('run', '-d', '--name', name, ...flags, 'busybox', 'sleep', '100000');
  const line = await psLine(on, name);
  return / ([\d.]+)\//.exec(line)?.[1] ?? assert.fail(line);
}

/** As {@link start}; nobody else may have been given the address. @param given by name, to which it is added */
export async function startNew(on: Host, name: string, given: Map<string, string>): Promise<string> {
  const address = await start(on, name);
  for (const [other, has] of given) assert.notEqual(has, address, `${name} has the address of ${other}`);
  given.set(name, address);
  return address;
}

/** Starts many, some at a time. @returns their addresses */
export async function startAll(on: Host, names: readonly string[]): Promise<string[]> {
  await eachOf(names, 2, async (name) => {
    await on.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
  });
  const lines = (await on.weavets('ps', ...names)).stdout.split('\n');
  return lines.flatMap((line) =>
    line.startsWith('weave:expose') ? [] : (/ ([\d.]+)\//.exec(line)?.[1] ?? []),
  );
}

async function psLine(on: Host, name: string): Promise<string> {
  const { stdout } = await on.weavets('ps', name);
  return stdout.split('\n').find((line) => !line.startsWith('weave:expose')) ?? '';
}

/** What `weavets report` says, at less cost than by starting it: this is asked often. */
export async function reportOf(on: Host): Promise<Report> {
  return JSON.parse(await on.runOk(['curl', '-sf', 'http://127.0.0.1:6782/report'])) as Report;
}

/** The address of a name, as a host knows it; empty: none. */
export async function lookup(on: Host, name: string): Promise<string> {
  const entries = (await reportOf(on)).DNS?.Entries ?? [];
  return entries.find(({ Hostname }) => Hostname === `${name}.weave.local.`)?.Address ?? '';
}

export const pings = async (on: Host, from: string, to: string) =>
  (await on.run(['docker', 'exec', from, 'ping', '-c', '1', '-W', '3', to])).code === 0;

/** Waits until a container's ping of another is answered: a busy machine may lose the first. */
export const reaches = (on: Host, from: string, to: string) =>
  until(`${from} on ${on.name} reaches ${to}`, () => pings(on, from, to));

/** Waits until what one container sends to a group is heard by another that has joined it. */
export async function hearsMulticast(
  sender: { on: Host; from: string },
  receiver: { on: Host; to: string },
): Promise<void> {
  const inside = async (on: Host, container: string, ...argv: string[]) => {
    const pid = await on.docker('inspect', '-f', '{{.State.Pid}}', container);
    return ['nsenter', '-n', '-t', pid, 'socat', '-u', ...argv];
  };
  const join = 'UDP4-RECVFROM:5001,ip-add-membership=239.7.7.7:ethwe';
  const hearing = receiver.on.spawn(await inside(receiver.on, receiver.to, join, '-'));
  let heard = '';
  hearing.stdout?.on('data', (text) => {
    heard += text;
  });
  const send = await inside(sender.on, sender.from, '-', 'UDP4-DATAGRAM:239.7.7.7:5001');
  await until('the group is heard', async () => {
    await sender.on.runOk(send, { input: 'to all' });
    return heard.startsWith('to all');
  });
}

/** Waits until every host resolves a name to this, `''`: to nothing. */
export async function known(hosts: readonly Host[], name: string, address: string): Promise<void> {
  for (const on of hosts) {
    await until(`${on.name} has '${address}' for ${name}`, async () => (await lookup(on, name)) === address);
  }
}

/** True when the engine refuses to start a container with this address. */
export async function refusesAddress(on: Host, address: string): Promise<boolean> {
  const argv = ['run', '--rm', '-e', `WEAVE_CIDR=${address}/12`, 'busybox', 'true'];
  const { code, stderr } = await on.tryProxied(...argv);
  return code !== 0 && stderr.includes(address);
}

/** Cuts a host off from all others, or reconnects it. */
export const cable = (lab: Lab, number: number, state: 'up' | 'down') =>
  lab.underlay.ip(['link', 'set', `u${number}-${lab.underlay.id}`, state]);
