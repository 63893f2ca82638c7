import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Output, type RunOptions, run, runOk } from '../../src/lib/exec.ts';
import { removeCgroups } from './cgroups.ts';
import { keepLogs } from './logs.ts';
import { deleteNetns } from './netns.ts';
import { HostCgroup, systemdScript } from './systemd.ts';
import { Underlay } from './underlay.ts';
import { until } from './until.ts';

const here = dirname(fileURLToPath(import.meta.url));
export const repository = dirname(dirname(here));
const labRoot = '/var/tmp/weavets-lab';

/** How to make a {@link Machine}. */
export interface MachineOptions {
  /** hostname; default `host1` */
  name?: string;
  /** plugged into this underlay as 10.250.0.`number`/24 on eth0; default: an underlay of its own */
  underlay?: Underlay;
  /** 1 to 250; default 1 */
  number?: number;
  /** MTU of eth0; default 1500 */
  mtu?: number;
  /** its PID 1 is systemd, its root is a copy of the machine's, in memory */
  systemd?: boolean;
  /** with systemd: the folder of the Debian that is its root in place of the machine's */
  root?: string;
  /** set for each command inside */
  env?: NodeJS.ProcessEnv;
  /** names its logs, beside its own name; default `own` */
  kind?: string | undefined;
}

/** Options of a command on a machine. `env` replaces nothing of the environment but what it names. */
export interface CommandOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
}

/**
 * A machine of its own on this one: network, mount, pid and uts namespaces, own /run, /etc, /var/lib. Everything runs as
 * root inside; dispose leaves nothing behind but the logs, in /var/tmp/weavets-lab/logs.
 */
export class Machine implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly #options: MachineOptions;
  /** Undoes what {@link turnOn} has made so far, last first. */
  readonly #undo: (() => Promise<unknown>)[] = [];
  #underlay: Underlay | undefined;
  /** Of {@link #undo}, how many make up the machine that is switched off. */
  #off = 0;
  #netns = '';
  #dir = '';
  #pid = 0;
  /** What the machine's PID 1 is a child of; it ends with that. */
  #init: ChildProcess | undefined;

  /** Made by {@link turnOn} only; the fields that name parts of it throw until then. */
  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name ?? 'host1';
    this.address = `10.250.0.${options.number ?? 1}`;
  }

  async turnOn(): Promise<void> {
    await this.#build();
    await this.#plugIn();
    await this.#boot();
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
    return { ...process.env, ...this.#options.env, ...env };
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
      await keepLogs(join(this.dir, 'log'), this.#options.kind ?? 'own', this.name);
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
