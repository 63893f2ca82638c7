import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { messageOf } from '../../src/lib/errors.ts';
import { removeCgroups } from '../support/cgroups.ts';
import { Host, type Underlay, until, weavets } from '../support/host.ts';
import { firstEngine } from '../support/use-host.ts';

/** Of the state, where etcd keeps its log in advance: 64 MB each for the one in use and the next. */
const diskSize = '400m';
const password = 'correct horse';
const clockFile = '/etc/clock-offset';
/** Go, and so etcd, asks the kernel itself: only the daemon's clock can be made to jump. */
const clockLibrary = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/** A host of the cluster that faults are made on: its own disk for the state, and a clock that can jump. */
export class Machine {
  readonly host: Host;
  readonly name: string;
  readonly #port: string;
  readonly #underlay: Underlay;
  #daemon = '';

  private constructor(host: Host, underlay: Underlay, number: number) {
    this.host = host;
    this.name = host.name;
    this.#underlay = underlay;
    this.#port = `u${number}-${underlay.id}`;
  }

  static async create(underlay: Underlay, number: number): Promise<Machine> {
    const { suite } = firstEngine;
    const host = await Host.create({ underlay, number, name: `host${number}`, suite, engine: false });
    const machine = new Machine(host, underlay, number);
    try {
      const disk = (folder: string, size: string) =>
        host.runOk(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
      await disk('/var/lib/weave', diskSize);
      // The library of the clock leaves files there when its process is killed.
      await disk('/dev/shm', '16m');
      await machine.setClock(0);
      await machine.#newBoot();
      await host.startEngine();
      await host.importBusybox();
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
    return machine;
  }

  /** Launches the daemon, the first one of a cluster with no others. */
  async launch(...others: readonly Machine[]): Promise<void> {
    const addresses = others.map(({ host }) => host.address);
    const argv = [weavets, 'launch', '--password', password, ...addresses];
    const env = {
      LD_PRELOAD: clockLibrary,
      FAKETIME_TIMESTAMP_FILE: clockFile,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    this.#daemon = (await this.host.runOk(argv, { env, signal: AbortSignal.timeout(150_000) })).trim();
  }

  /** Sets the daemon's clock so many seconds apart from the others'. */
  async setClock(seconds: number): Promise<void> {
    const text = `${seconds < 0 ? '' : '+'}${seconds}\n`;
    await this.host.runOk(['tee', clockFile], { input: text });
  }

  async signalDaemon(signal: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
    await this.host.runOk(['kill', `-${signal}`, this.#daemon]);
    if (signal === 'KILL')
      await until('the daemon has ended', async () => {
        return (await this.host.run(['kill', '-0', this.#daemon])).code !== 0;
      });
  }

  async signalEtcd(signal: 'KILL' | 'STOP' | 'CONT'): Promise<void> {
    const text = await this.host.runOk(['cat', '/var/lib/weave/etcd/etcd.pid']);
    await this.host.runOk(['kill', `-${signal}`, String((JSON.parse(text) as { pid: number }).pid)]);
  }

  /** Whether it knows three voters, and has the rules for them. */
  async isSettled(others: readonly Machine[]): Promise<boolean> {
    const { stdout } = await this.host.shell('cat /var/lib/weave/etcd/cluster.json; iptables-save');
    const voters = stdout.match(/:6786"/g) ?? [];
    const rule = ({ host }: Machine) => stdout.includes(`-d ${host.address}/32 -p tcp -m tcp --dport 6786 `);
    return voters.length === 3 && others.every(rule);
  }

  /** Cuts the host off, or connects it again. */
  async cable(state: 'up' | 'down'): Promise<void> {
    await this.#underlay.ip(['link', 'set', this.#port, state]);
  }

  /** What a host has at its boot: an address, and a way out. */
  async configureNetwork(): Promise<void> {
    const { host } = this;
    await host.runOk(['ip', 'link', 'set', 'eth0', 'up']);
    await host.runOk(['ip', 'addr', 'replace', `${host.address}/24`, 'dev', 'eth0']);
    await host.runOk(['ip', 'route', 'replace', 'default', 'via', '10.250.0.254']);
  }

  /** Ends everything that runs on it, and all that is not on a disk: links, rules, /run. */
  async cutPower(): Promise<void> {
    const { host } = this;
    await until(`everything on ${this.name} has ended`, async () => {
      // Each process but the host's first and the one that kills.
      await host.run(['bash', '-c', 'kill -9 -1']);
      const { stdout } = await host.run(['ps', '-eo', 'comm=']);
      return !/^(dockerd|containerd|node|etcd|wireguard-go)/m.test(stdout);
    });
    await host.runOk(['bash', '-ec', forget]);
    await removeCgroups(join(host.dir, 'lib-docker'));
    await this.#newBoot();
  }

  /** What starts by itself after a boot. */
  async boot(...others: readonly Machine[]): Promise<void> {
    await this.configureNetwork();
    await this.host.startEngine();
    await this.launch(...others);
  }

  async #newBoot(): Promise<void> {
    const file = '/proc/sys/kernel/random/boot_id';
    await this.host.runOk(['tee', '/etc/boot-id'], { input: `${randomUUID()}\n` });
    await this.host.run(['umount', file]);
    await this.host.runOk(['mount', '--bind', '/etc/boot-id', file]);
  }
}

const forget = `
for link in /sys/class/net/*; do
  case \${link##*/} in lo | eth0) ;; *) ip link del "\${link##*/}" 2>/dev/null || true ;; esac
done
nft flush ruleset
ip rule | while IFS=: read -r priority rest; do
  case $priority in 0 | 32766 | 32767) ;; *) ip rule del priority "$priority" ;; esac
done
ip route flush table 6784 2>/dev/null || true
ip link set eth0 down
ip addr flush dev eth0
umount -l /run
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
rm -rf /dev/shm/*
`;

/** Three machines with an engine each and the cluster's three members of etcd. */
export class Cluster implements AsyncDisposable {
  readonly machines: Machine[] = [];
  readonly #underlay: Underlay;

  private constructor(underlay: Underlay) {
    this.#underlay = underlay;
  }

  static async create(underlay: Underlay): Promise<Cluster> {
    const cluster = new Cluster(underlay);
    const { machines } = cluster;
    try {
      const making = [1, 2, 3].map((number) => Machine.create(underlay, number));
      const made = await Promise.allSettled(making);
      for (const result of made) if (result.status === 'fulfilled') machines.push(result.value);
      const failed = made.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      for (const machine of machines) await cluster.launch(machine);
      for (const machine of machines)
        await until(`${machine.name} is one of three voters`, () =>
          machine.isSettled(cluster.others(machine)),
        );
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  others(than: Machine): Machine[] {
    return this.machines.filter((each) => each !== than);
  }

  /** Launches a machine's daemon with the flags that it has at every boot. */
  launch(machine: Machine): Promise<void> {
    return machine.launch(...this.#named(machine));
  }

  boot(machine: Machine): Promise<void> {
    return machine.boot(...this.#named(machine));
  }

  /** All but the first name that one. */
  #named(machine: Machine): Machine[] {
    return this.machines.slice(0, 1).filter((first) => first !== machine);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { host, name } of this.machines)
      await host[Symbol.asyncDispose]().catch((error: unknown) =>
        console.error(`${name} was not taken down: ${messageOf(error)}`),
      );
    await this.#underlay[Symbol.asyncDispose]();
  }
}
