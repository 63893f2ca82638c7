import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Output, type RunOptions, run, runOk } from '../../src/lib/exec.ts';
import { removeCgroups } from './cgroups.ts';
import { dockerd, type EngineProgram, podman } from './engine-program.ts';
import { endOf, keepLogs } from './logs.ts';
import { deleteNetns } from './netns.ts';
import { inSuite, type Suite } from './suite.ts';
import { engineDropIn, HostCgroup, systemdScript } from './systemd.ts';
import { Underlay } from './underlay.ts';
import { until } from './until.ts';

export { inSuite, type Suite, Underlay, until };

const here = dirname(fileURLToPath(import.meta.url));
export const repository = dirname(dirname(here));
export const weavets = join(repository, 'bin/weavets');
const labRoot = '/var/tmp/weavets-lab';

/** How to make a {@link Host}. */
export interface HostOptions {
  /** hostname; default `host1` */
  name?: string;
  /** plugged into this underlay as 10.250.0.`number`/24 on eth0; default: an underlay of its own */
  underlay?: Underlay;
  /** 1 to 250; default 1 */
  number?: number;
  /** MTU of eth0; default 1500 */
  mtu?: number;
  /** start dockerd and import the busybox image; default true */
  engine?: boolean;
  /** Debian whose dockerd is run in place of the machine's own */
  suite?: Suite | undefined;
  /** its PID 1 is systemd, which also runs the engine; its root is a copy of the machine's, in memory */
  systemd?: boolean;
  /** with systemd: the folder of the Debian that is its root in place of the machine's */
  root?: string;
}

/** Options of a command on a host. `env` replaces nothing of the environment but what it names. */
export interface CommandOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
}

/**
 * A host of its own on this machine: network, mount, pid and uts namespaces, own /run, /etc, /var/lib, own dockerd.
 * Everything runs as root inside; dispose leaves nothing behind but the logs, in /var/tmp/weavets-lab/logs.
 */
export class Host implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  /** The proxy's and the engine's endpoint inside, as `docker -H` takes them. */
  readonly proxySocket = 'unix:///var/run/weave/weave.sock';
  readonly engineSocket: string;
  readonly #options: HostOptions;
  readonly #program: EngineProgram;
  /** Undoes what {@link start} has made so far, last first. */
  readonly #undo: (() => Promise<unknown>)[] = [];
  #underlay: Underlay | undefined;
  /** Of {@link #undo}, how many make up the host that is switched off. */
  #off = 0;
  #netns = '';
  #dir = '';
  #pid = 0;
  /** What the host's PID 1 is a child of; it ends with that. */
  #init: ChildProcess | undefined;
  #engine: ChildProcess | undefined;
  #engineArgs: string[] = [];

  /** Made by {@link start} only; the fields that name parts of it throw until then. */
  constructor(options: HostOptions = {}) {
    this.#options = options;
    this.#program = options.suite === 'sid-podman' ? podman : dockerd;
    this.engineSocket = this.#program.socket;
    this.name = options.name ?? 'host1';
    this.address = `10.250.0.${options.number ?? 1}`;
  }

  static async create(options: HostOptions = {}): Promise<Host> {
    const host = new Host(options);
    await host.start();
    return host;
  }

  async start(): Promise<void> {
    try {
      await this.#build();
      await this.#plugIn();
      await this.#boot();
      if (this.#options.engine === false) return;
      await this.startEngine();
      await this.importBusybox();
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  get netns(): string {
    return this.#started(this.#netns);
  }

  /** What the host writes, seen from outside. */
  get dir(): string {
    return this.#started(this.#dir);
  }

  /** Pid, seen from outside, of the host's PID 1. */
  get pid(): number {
    return this.#started(this.#pid);
  }

  /** argv that runs `argv` inside this host. */
  inside(argv: readonly string[]): [string, ...string[]] {
    return ['nsenter', '-t', String(this.pid), '-m', '-p', '-u', '-n', ...argv];
  }

  /** Runs a command inside, whatever its exit code. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<Output> {
    return run(this.inside(argv), this.#how(options));
  }

  /** As {@link run}, but throws on a non-zero exit. @returns standard output */
  runOk(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return runOk(this.inside(argv), this.#how(options));
  }

  /** Runs a bash script inside, as a user types it. */
  shell(script: string, options: CommandOptions = {}): Promise<Output> {
    return this.run(['bash', '-c', script], options);
  }

  /** Starts a long-running command inside. */
  spawn(argv: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess {
    const [file, ...args] = this.inside(argv);
    return spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: this.#envOf(env) });
  }

  /** Path, seen from outside, of a path inside. (Not of one below a link such as /var/run: that leads outside.) */
  path(inside: string): string {
    return `/proc/${this.pid}/root${inside}`;
  }

  /** Path, seen from outside, of the proxy's or the engine's socket. */
  socketPath(of: 'proxy' | 'engine'): string {
    const endpoint = of === 'proxy' ? this.proxySocket : this.engineSocket;
    return this.path(endpoint.replace(/^unix:\/\/(\/var)?/, ''));
  }

  /** Runs the docker CLI straight at the engine. @returns standard output, trimmed */
  async docker(...args: string[]): Promise<string> {
    return (await this.runOk(['docker', '-H', this.engineSocket, ...args])).trim();
  }

  /** As {@link docker}, whatever its exit code. */
  tryDocker(...args: string[]): Promise<Output> {
    return this.run(['docker', '-H', this.engineSocket, ...args]);
  }

  /** Runs the docker CLI through the proxy. @returns standard output, trimmed */
  async proxied(...args: string[]): Promise<string> {
    return (await this.runOk(['docker', '-H', this.proxySocket, ...args])).trim();
  }

  /** As {@link proxied}, whatever its exit code. */
  tryProxied(...args: string[]): Promise<Output> {
    return this.run(['docker', '-H', this.proxySocket, ...args]);
  }

  /** Runs weavets inside, whatever its exit code. */
  weavets(...args: string[]): Promise<Output> {
    return this.run([weavets, ...args]);
  }

  /** Launches weavets, which must succeed. @returns the daemon's pid inside, as it prints it */
  async launch(...flags: string[]): Promise<string> {
    return (await this.runOk([weavets, 'launch', ...flags])).trim();
  }

  /** Removes all containers. */
  async removeContainers(): Promise<void> {
    const ids = await this.docker('ps', '-aq');
    if (ids !== '') await this.docker('rm', '-f', ...ids.split('\n'));
  }

  async startEngine(extraArgs: string[] = this.#engineArgs): Promise<void> {
    this.#engineArgs = extraArgs;
    if (this.#options.systemd) return this.#startUnit();
    const { name, script } = this.#program;
    const command = ['sh', '-c', `exec >>/var/log/${name}.log 2>&1; ${script} "$@"`, name, ...extraArgs];
    const { suite } = this.#options;
    const [file, ...args] = this.inside(suite === undefined ? command : await inSuite(suite, command));
    const engine = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#engine = engine;
    try {
      await until(`${name} answers on ${this.name}`, async () => {
        if (engine.exitCode !== null) throw new Error(`${name} ended with ${engine.exitCode}`);
        return (await this.tryDocker('version')).code === 0;
      });
    } catch (error) {
      const tail = await endOf(join(this.dir, `log/${name}.log`));
      throw new Error(`${(error as Error).message}; the end of its log:\n${tail}`, { cause: error });
    }
  }

  async #startUnit(): Promise<void> {
    const { suite } = this.#options;
    if (suite !== undefined) {
      const folder = '/etc/systemd/system/docker.service.d';
      await this.runOk(['mkdir', '-p', folder]);
      await this.runOk(['tee', `${folder}/engine.conf`], { input: await engineDropIn(suite) });
      // That one would not see the other Debian's files.
      await this.runOk(['systemctl', 'mask', '--now', 'containerd.service']);
    }
    await this.runOk(['systemctl', 'start', 'docker.service']);
  }

  /** Ends the engine with a signal (SIGTERM, or SIGKILL as a crash) and waits for its end. */
  async stopEngine(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined || engine.exitCode !== null) return;
    const ended = new Promise((resolve) => engine.once('exit', resolve));
    const pid = (await readFile(this.path(this.#program.pidFile), 'utf8')).trim();
    await this.run(['kill', signal === 'SIGKILL' ? '-9' : '-15', pid]);
    await ended;
    this.#engine = undefined;
  }

  /** The engine hangs until {@link resumeEngine}. */
  async pauseEngine(): Promise<void> {
    await this.#signalEngine('STOP');
  }

  async resumeEngine(): Promise<void> {
    await this.#signalEngine('CONT');
    // nsenter stops itself when what it runs is stopped, and would never learn of its end.
    this.#engine?.kill('SIGCONT');
  }

  async #signalEngine(signal: 'STOP' | 'CONT'): Promise<void> {
    const pid = (await readFile(this.path(this.#program.pidFile), 'utf8')).trim();
    await this.runOk(['kill', `-${signal}`, pid]);
  }

  /** The image `busybox`, made from Debian's busybox-static, `CMD ["sh"]`. */
  async importBusybox(): Promise<void> {
    await this.runOk(['sh', join(repository, 'scripts/import-busybox.sh'), this.engineSocket]);
  }

  /** Reboots a host that systemd runs: what is on its disks stays; processes, links, rules and /run don't. */
  async reboot(): Promise<void> {
    await this.run(['systemctl', 'reboot']);
    await until(`${this.name} is down`, () => hasEnded(this.#init));
    await this.#undoTo(this.#off);
    await this.#plugIn();
    await this.#boot();
  }

  /** Takes everything down, even if a part of that fails. @throws the first failure */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#undoTo(0);
  }

  async #undoTo(count: number): Promise<void> {
    const failures: unknown[] = [];
    for (const undo of this.#undo.splice(count).toReversed())
      await undo().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  /** A test's own limit of time is the only one. */
  #how({ env, ...options }: CommandOptions): RunOptions {
    return { ...options, deadline: null, script: true, env: this.#envOf(env) };
  }

  #envOf(env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { ...process.env, ...this.#program.env, ...env };
  }

  #started<T extends string | number>(field: T): T {
    if (!field)
      throw new Error(`${this.name} is not started; a hook that needs it goes into useHost's prepare`);
    return field;
  }

  /** Makes its folder, and the underlay if it is the only host on it. */
  async #build(): Promise<void> {
    const underlay = this.#options.underlay ?? (await Underlay.create());
    if (this.#options.underlay === undefined) this.#undo.push(() => underlay[Symbol.asyncDispose]());
    this.#underlay = underlay;
    const id = `${underlay.id}-${this.#options.number ?? 1}-${randomBytes(2).toString('hex')}`;
    this.#netns = `wvh-${id}`;
    this.#dir = join(labRoot, id);
    await mkdir(this.#dir, { recursive: true });
    this.#undo.push(() => rm(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
    this.#off = this.#undo.length;
  }

  /** Makes the network namespace, with eth0 on the underlay. */
  async #plugIn(): Promise<void> {
    const { number = 1, mtu = 1500 } = this.#options;
    await runOk(['ip', 'netns', 'add', this.#netns]);
    this.#undo.push(() => deleteNetns(this.netns));
    const unplug = await this.#underlay?.plug(this.#netns, { number, mtu, address: this.address });
    if (unplug) this.#undo.push(unplug);
  }

  /** Starts PID 1. */
  async #boot(): Promise<void> {
    const { systemd = false, root = '/' } = this.#options;
    this.#pid = 0;
    await rm(join(this.dir, 'ready'), { force: true });
    const script = systemd ? systemdScript : join(here, 'host-init.sh');
    const argv = [
      ...['unshare', '--mount', '--pid', '--uts', '--fork', '--kill-child', '--propagation', 'private'],
      ...['sh', script, this.dir, this.name, this.address, repository, root],
    ];
    const cgroup = systemd ? await HostCgroup.create(this.netns) : undefined;
    if (cgroup) this.#undo.push(() => cgroup[Symbol.asyncDispose]());
    // It ends with this process, even with one that is killed.
    const init = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', 'nsenter', `--net=/run/netns/${this.netns}`],
        ...(cgroup ? cgroup.inside(argv) : argv),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#init = init;
    let said = '';
    init.stderr.on('data', (text) => {
      said += text;
    });
    const ended = new Promise((resolve) => init.once('exit', resolve));
    this.#undo.push(async () => {
      // Its PID 1 takes every process inside with it; where there is none yet, --kill-child does the same.
      if (this.#pid === 0) init.kill('SIGKILL');
      else if (!hasEnded(init)) await run(['kill', '-9', String(this.#pid)]);
      await ended;
      await removeCgroups(join(this.dir, 'lib-docker'));
      await keepLogs(join(this.dir, 'log'), this.#options.suite ?? 'own', this.name);
    });
    await until(`${this.name} is up`, () => {
      if (hasEnded(init)) throw new Error(`${this.name} ended: ${said}`);
      return existsSync(join(this.dir, 'ready'));
    });
    // It has become unshare, whose only child is the host's PID 1.
    const children = await readFile(`/proc/${init.pid}/task/${init.pid}/children`, 'utf8');
    this.#pid = Number(children.trim());
    if (systemd) await this.#systemdIsUp();
  }

  /** Its journal becomes one of the host's logs. */
  async #systemdIsUp(): Promise<void> {
    this.#undo.push(() =>
      this.shell('journalctl -o short-precise >/var/log/journal.log; rm -r /var/log/journal'),
    );
    await until(`systemd runs ${this.name}`, async () => {
      const { stdout } = await this.run(['systemctl', 'is-system-running']);
      return /^(running|degraded)$/m.test(stdout);
    });
  }
}

const hasEnded = (child: ChildProcess | undefined) => child?.exitCode !== null || child.signalCode !== null;
