import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Output } from '../../src/lib/exec.ts';
import { dockerd, type EngineProgram, podman } from './engine-program.ts';
import { endOf } from './logs.ts';
import { Machine, type MachineOptions, repository } from './machine.ts';
import { inSuite, type Suite } from './suite.ts';
import { engineDropIn } from './systemd.ts';
import { Underlay } from './underlay.ts';
import { until } from './until.ts';

export { inSuite, repository, type Suite, Underlay, until };

export const weavets = join(repository, 'bin/weavets');

/** How to make a {@link Host}. With systemd, that runs the engine as well. */
export interface HostOptions extends MachineOptions {
  /** start dockerd and import the busybox image; default true */
  engine?: boolean;
  /** Debian whose dockerd is run in place of the machine's own */
  suite?: Suite | undefined;
}

/** A machine of its own with an engine, and weavets' command. */
export class Host extends Machine {
  /** The proxy's and the engine's endpoint inside, as `docker -H` takes them. */
  readonly proxySocket = 'unix:///var/run/weave/weave.sock';
  readonly engineSocket: string;
  readonly #options: HostOptions;
  readonly #program: EngineProgram;
  #engine: ChildProcess | undefined;
  #engineArgs: string[] = [];

  constructor(options: HostOptions = {}) {
    const program = options.suite === 'sid-podman' ? podman : dockerd;
    super({ ...options, env: program.env, kind: options.suite });
    this.#options = options;
    this.#program = program;
    this.engineSocket = program.socket;
  }

  static async create(options: HostOptions = {}): Promise<Host> {
    const host = new Host(options);
    await host.start();
    return host;
  }

  async start(): Promise<void> {
    try {
      await this.turnOn();
      if (this.#options.engine === false) return;
      await this.startEngine();
      await this.importBusybox();
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
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
}
