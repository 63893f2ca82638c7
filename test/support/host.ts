import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Output, run, runOk } from '../../src/lib/exec.ts';

const here = dirname(fileURLToPath(import.meta.url));
export const repository = dirname(dirname(here));
export const weavets = join(repository, 'bin/weavets');
const labRoot = '/var/tmp/weavets-lab';

/** Polls until `probe` is true; the only wait that tests use. @throws after `ms` with `what` in the text */
export async function until(
  what: string,
  probe: () => Promise<boolean> | boolean,
  ms = 30_000,
): Promise<void> {
  const end = Date.now() + ms;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`timed out after ${ms} ms waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/**
 * A network that laboratory hosts are plugged into: a bridge in a namespace of its own, 10.250.0.254/24.
 * (In the root namespace br_netfilter and Docker's FORWARD DROP would eat its traffic.)
 */
export class Underlay implements AsyncDisposable {
  readonly netns: string;
  readonly id: string;

  private constructor(id: string) {
    this.id = id;
    this.netns = `wvu-${id}`;
  }

  static async create(): Promise<Underlay> {
    const underlay = new Underlay(randomBytes(2).toString('hex'));
    await runOk(['ip', 'netns', 'add', underlay.netns]);
    await underlay.ip(['link', 'set', 'lo', 'up']);
    await underlay.ip(['link', 'add', 'ul0', 'type', 'bridge', 'mcast_snooping', '0']);
    await underlay.ip(['addr', 'add', '10.250.0.254/24', 'dev', 'ul0']);
    await underlay.ip(['link', 'set', 'ul0', 'up']);
    return underlay;
  }

  ip(args: string[]): Promise<string> {
    return runOk(['ip', '-n', this.netns, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runOk(['ip', 'netns', 'del', this.netns]);
  }
}

/** A Debian whose engine and clients are newer: API 1.45 in trixie, 1.51 or later in sid. */
export type Suite = 'trixie' | 'sid';

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
  suite?: Suite;
}

/**
 * A host of its own on this machine: network, mount, pid and uts namespaces, own /run, /etc, /var/lib, own dockerd.
 * Everything runs as root inside; dispose leaves nothing behind.
 */
export class Host implements AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly netns: string;
  readonly dir: string;
  /** Pid, seen from outside, of the host's PID 1. */
  readonly pid: number;
  readonly #init: ChildProcess;
  readonly #underlay: Underlay;
  readonly #ownUnderlay: boolean;
  #engine: ChildProcess | undefined;
  #engineArgs: string[] = [];
  #suite: Suite | undefined;

  private constructor(fields: {
    name: string;
    address: string;
    netns: string;
    dir: string;
    pid: number;
    init: ChildProcess;
    underlay: Underlay;
    ownUnderlay: boolean;
  }) {
    this.name = fields.name;
    this.address = fields.address;
    this.netns = fields.netns;
    this.dir = fields.dir;
    this.pid = fields.pid;
    this.#init = fields.init;
    this.#underlay = fields.underlay;
    this.#ownUnderlay = fields.ownUnderlay;
  }

  static async create(options: HostOptions = {}): Promise<Host> {
    const { name = 'host1', number = 1, mtu = 1500 } = options;
    const underlay = options.underlay ?? (await Underlay.create());
    const id = `${underlay.id}-${number}-${randomBytes(2).toString('hex')}`;
    const netns = `wvh-${id}`;
    const dir = join(labRoot, id);
    const address = `10.250.0.${number}`;
    await mkdir(dir, { recursive: true });
    await runOk(['ip', 'netns', 'add', netns]);
    const port = `u${number}-${underlay.id}`;
    await runOk([
      'ip',
      'link',
      'add',
      port,
      'netns',
      underlay.netns,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      netns,
    ]);
    await underlay.ip(['link', 'set', port, 'mtu', String(mtu), 'master', 'ul0', 'up']);
    await runOk(['ip', '-n', netns, 'link', 'set', 'eth0', 'mtu', String(mtu), 'up']);
    await runOk(['ip', '-n', netns, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
    await runOk(['ip', '-n', netns, 'route', 'add', 'default', 'via', '10.250.0.254']);
    const init = spawn(
      'nsenter',
      [
        `--net=/run/netns/${netns}`,
        ...['unshare', '--mount', '--pid', '--uts', '--fork', '--kill-child', '--propagation', 'private'],
        ...['sh', join(here, 'host-init.sh'), dir, name, address],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    await until(`host ${name} is up`, () => existsSync(join(dir, 'ready')) || init.exitCode !== null);
    // nsenter execs unshare, whose only child is the host's PID 1.
    const children = await readFile(`/proc/${init.pid}/task/${init.pid}/children`, 'utf8');
    const host = new Host({
      name,
      address,
      netns,
      dir,
      pid: Number(children.trim()),
      init,
      underlay,
      ownUnderlay: options.underlay === undefined,
    });
    host.#suite = options.suite;
    try {
      if (options.engine ?? true) {
        await host.startEngine();
        await host.importBusybox();
      }
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
    return host;
  }

  /** argv that runs `argv` inside this host. */
  inside(argv: readonly string[]): [string, ...string[]] {
    return ['nsenter', '-t', String(this.pid), '-m', '-p', '-u', '-n', ...argv];
  }

  /** Runs a command inside, whatever its exit code. `env` replaces nothing of the environment but what it names. */
  run(
    argv: readonly string[],
    options: { input?: string; env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
  ): Promise<Output> {
    return run(this.inside(argv), { ...options, env: { ...process.env, ...options.env } });
  }

  /** As {@link run}, but throws on a non-zero exit. @returns standard output */
  runOk(argv: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): Promise<string> {
    return runOk(this.inside(argv), { ...options, env: { ...process.env, ...options.env } });
  }

  /** Runs a bash script inside, as a user types it. */
  shell(script: string, options: { input?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Output> {
    return this.run(['bash', '-c', script], options);
  }

  /** Starts a long-running command inside. */
  spawn(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const [file, ...args] = this.inside(argv);
    return spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  }

  /** Path, seen from outside, of a path inside. */
  path(inside: string): string {
    return `/proc/${this.pid}/root${inside}`;
  }

  /** Runs the docker CLI straight at the engine. @returns standard output, trimmed */
  async docker(...args: string[]): Promise<string> {
    return (await this.runOk(['docker', '-H', 'unix:///var/run/docker.sock', ...args])).trim();
  }

  /** Runs the docker CLI through the proxy. @returns standard output, trimmed */
  async proxied(...args: string[]): Promise<string> {
    return (await this.runOk(['docker', '-H', 'unix:///var/run/weave/weave.sock', ...args])).trim();
  }

  /** Runs weavets inside, whatever its exit code. */
  weavets(...args: string[]): Promise<Output> {
    return this.run([weavets, ...args]);
  }

  async startEngine(extraArgs: string[] = this.#engineArgs): Promise<void> {
    this.#engineArgs = extraArgs;
    const command = ['sh', '-c', 'exec dockerd "$@" >>/var/log/dockerd.log 2>&1', 'dockerd', ...extraArgs];
    const [file, ...args] = this.inside(
      this.#suite === undefined ? command : await inSuite(this.#suite, command),
    );
    const engine = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#engine = engine;
    const answers = ['docker', '-H', 'unix:///var/run/docker.sock', 'version'];
    await until('dockerd answers', async () => {
      if (engine.exitCode !== null) throw new Error(`dockerd ended with ${engine.exitCode}`);
      return (await this.run(answers)).code === 0;
    });
  }

  /** Ends dockerd with a signal (SIGTERM, or SIGKILL as a crash) and waits for its end. */
  async stopEngine(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined || engine.exitCode !== null) return;
    const ended = new Promise((resolve) => engine.once('exit', resolve));
    const pid = (await readFile(this.path('/run/docker.pid'), 'utf8')).trim();
    await this.run(['kill', signal === 'SIGKILL' ? '-9' : '-15', pid]);
    await ended;
    this.#engine = undefined;
  }

  /** The image `busybox`, made from Debian's busybox-static, `CMD ["sh"]`. */
  async importBusybox(): Promise<void> {
    await this.runOk(['sh', join(repository, 'scripts/import-busybox.sh')]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#init.once('exit', resolve));
    if (this.#init.exitCode === null) {
      await run(['kill', '-9', String(this.pid)]);
      await ended;
    }
    await runOk(['ip', 'netns', 'del', this.netns]);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    if (this.#ownUnderlay) await this.#underlay[Symbol.asyncDispose]();
  }
}

/** argv that, on a host, runs `argv` with the programs of another Debian; builds that first if it is not there yet. */
export async function inSuite(suite: Suite, argv: readonly string[]): Promise<string[]> {
  const root = await runOk(['sh', join(repository, 'scripts/debian-root.sh'), suite]);
  const script = join(here, 'debian-root.sh');
  return ['unshare', '--mount', '--propagation', 'private', 'sh', script, root.trim(), ...argv];
}
