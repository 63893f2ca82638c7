import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { acceptsConnections } from '../lib/accepts.ts';
import { WeaveError } from '../lib/errors.ts';
import { spawnError } from '../lib/exec.ts';
import { memberClientPort, memberPeerPort } from '../model/ports.ts';
import { commonNames } from './authority.ts';
import { etcdFiles } from './files.ts';
import { HeldProcess } from './held-process.ts';
import { hasUnit, startUnit, stopUnit, unitPid } from './member-unit.ts';

/** How a member of etcd runs. */
export interface MemberOptions {
  /** of the host's state, see files.ts */
  folder: string;
  /** the host's */
  name: string;
  /** the only one that it listens on */
  address: string;
  /** how it begins without data; without effect otherwise */
  begin: { cluster: Readonly<Record<string, string>>; state: 'new' | 'existing'; token: string };
}

/** ms in which it must listen; if it has data, it reads that first */
const startTimeout = 30_000;
/** ms in which it hands over and ends */
const stopTimeout = 10_000;
/** bytes of its log, which then starts afresh */
const logLimit = 4 << 20;
/** limit of its data, bytes; names and links of 100,000 containers take some 100 MB */
const quota = 2 * 1024 ** 3;

export const clientUrl = (address: string) => `https://${address}:${memberClientPort}`;
export const peerUrl = (address: string) => `https://${address}:${memberPeerPort}`;

/** The host's own etcd: a process that outlives the daemon, and is found again by the next. */
export class EtcdMember {
  readonly #folder: string;
  readonly #process: HeldProcess;

  private constructor(folder: string, process: HeldProcess) {
    this.#folder = folder;
    this.#process = process;
  }

  /** @returns undefined: none runs */
  static async find(folder: string): Promise<EtcdMember | undefined> {
    const { pid, data } = etcdFiles(folder);
    const program = ['--data-dir', data];
    const known =
      (hasUnit(folder) ? HeldProcess.of(await unitPid()) : undefined) ??
      (await HeldProcess.find(pid, program));
    if (known) return new EtcdMember(folder, known);
    const unknown = hasData(folder) ? HeldProcess.running(program) : undefined;
    await unknown?.keep(pid);
    return unknown && new EtcdMember(folder, unknown);
  }

  /**
   * Starts it, unless it already runs as it should. It then listens; whether it serves is up to the other members.
   * @throws WeaveError TOOL_MISSING, ETCD_FAILED
   */
  static async start(options: MemberOptions, signal?: AbortSignal): Promise<EtcdMember> {
    const { folder, address } = options;
    const running = await EtcdMember.find(folder);
    if (running?.listensOn(address)) return running;
    await running?.stop();
    const files = etcdFiles(folder);
    await mkdir(files.data, { recursive: true, mode: 0o700 });
    const member = new EtcdMember(folder, await startProcess(options));
    await member.#process.keep(files.pid);
    await member.#listening(address, signal);
    return member;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#process.alive;
  }

  listensOn(address: string): boolean {
    return this.#process.argv.includes(clientUrl(address));
  }

  /** Its process has ended when this resolves. */
  async stop(): Promise<void> {
    if (hasUnit(this.#folder)) await stopUnit();
    this.#process.signal('SIGTERM');
    const end = performance.now() + stopTimeout;
    while (this.alive) {
      if (performance.now() > end) this.#process.signal('SIGKILL');
      await delay(25);
    }
    await rm(etcdFiles(this.#folder).pid, { force: true });
  }

  /** Keeps its log from growing for ever. */
  async trimLog(): Promise<void> {
    const { log } = etcdFiles(this.#folder);
    const size = await stat(log).then(
      (now) => now.size,
      () => 0,
    );
    // etcd appends to it, so it can be cut at any time.
    if (size > logLimit) await truncate(log);
  }

  async #listening(address: string, signal?: AbortSignal): Promise<void> {
    const end = performance.now() + startTimeout;
    while (!(await acceptsConnections({ host: address, port: memberClientPort }))) {
      signal?.throwIfAborted();
      if (this.alive && performance.now() < end) {
        await delay(25, undefined, { signal });
        continue;
      }
      const how = this.alive ? `does not listen after ${startTimeout / 1000} s` : 'ended';
      await this.stop();
      throw new WeaveError(
        'ETCD_FAILED',
        `etcd ${how}; the last that it said: ${await lastWords(this.#folder)}`,
      );
    }
  }
}

/** True when the host has been a member, and can continue as one. */
export function hasData(folder: string): boolean {
  const { data } = etcdFiles(folder);
  const logs = join(data, 'member/wal');
  return existsSync(logs) && readdirSync(logs).some((name) => name.endsWith('.wal'));
}

/** Sets aside the data of a member that this host no longer is, replacing what was set aside before. */
export async function putDataAside(folder: string): Promise<void> {
  const { data, formerData } = etcdFiles(folder);
  if (!existsSync(data)) return;
  await rm(formerData, { recursive: true, force: true });
  await rename(data, formerData);
}

async function startProcess(options: MemberOptions): Promise<HeldProcess> {
  const { folder } = options;
  const files = etcdFiles(folder);
  const argv = memberArgv(options);
  const env = {
    PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    // Without this, etcd 3.4 refuses to run on arm64, where it works fine.
    ETCD_UNSUPPORTED_ARCH: process.arch,
  };
  if (hasUnit(folder)) {
    await startUnit({ argv, env, folder, log: files.log });
    return held(await unitPid(), folder);
  }
  const [file, ...args] = argv;
  const log = openSync(files.log, 'a', 0o600);
  try {
    const child = spawn(file, args, { cwd: folder, detached: true, env, stdio: ['ignore', log, log] });
    await once(child, 'spawn').catch((error: NodeJS.ErrnoException) => {
      throw spawnError(file, error);
    });
    child.unref();
    return await held(child.pid as number, folder);
  } finally {
    closeSync(log);
  }
}

async function held(pid: number, folder: string): Promise<HeldProcess> {
  const process = HeldProcess.of(pid);
  if (process) return process;
  throw new WeaveError(
    'ETCD_FAILED',
    `etcd ended at once; the last that it said: ${await lastWords(folder)}`,
  );
}

/** Flags, as a file can't say who may connect to the peer port. None is secret. */
export function memberArgv({ folder, name, address, begin }: MemberOptions): [string, ...string[]] {
  const { data, ca, member } = etcdFiles(folder);
  const cluster = Object.entries(begin.cluster).map(([each, at]) => `${each}=${peerUrl(at)}`);
  return [
    'etcd',
    ...['--name', name, '--data-dir', data],
    ...['--listen-client-urls', clientUrl(address), '--advertise-client-urls', clientUrl(address)],
    ...['--listen-peer-urls', peerUrl(address), '--initial-advertise-peer-urls', peerUrl(address)],
    ...['--initial-cluster', cluster.join(','), '--initial-cluster-state', begin.state],
    ...['--initial-cluster-token', begin.token],
    ...['--cert-file', member.cert, '--key-file', member.key],
    ...['--client-cert-auth', '--trusted-ca-file', ca.cert],
    ...['--peer-cert-file', member.cert, '--peer-key-file', member.key],
    ...['--peer-client-cert-auth', '--peer-trusted-ca-file', ca.cert],
    ...['--peer-cert-allowed-cn', commonNames.member],
    ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'],
    ...['--quota-backend-bytes', `${quota}`, '--snapshot-count', '10000'],
    ...['--logger', 'zap', '--log-outputs', 'stderr', '--log-level', 'warn'],
  ];
}

/** The end of its log, preferably the last line that reports an error. */
async function lastWords(folder: string): Promise<string> {
  const text = await readFile(etcdFiles(folder).log, 'utf8').catch(() => '');
  const lines = text.trimEnd().split('\n').slice(-5);
  return lines.findLast((line) => /"level":"(?:fatal|error)"/.test(line)) ?? lines.at(-1) ?? 'nothing';
}
