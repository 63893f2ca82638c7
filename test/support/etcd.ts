import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runOk } from '../../src/lib/exec.ts';

interface Member {
  name: string;
  client: string;
  argv: string[];
  process: ChildProcess | undefined;
}

/** A real etcd on loopback: `await using etcd = await Etcd.start()`. Ends, by pid, and leaves nothing behind. */
export class Etcd implements AsyncDisposable {
  readonly folder: string;
  readonly tls: { ca: string; cert: string; key: string } | undefined;
  readonly #members: Member[];

  private constructor(folder: string, members: Member[], tls: Etcd['tls']) {
    this.folder = folder;
    this.#members = members;
    this.tls = tls;
  }

  /** @param tls paths of PEM files; clients must then show a certificate of that ca */
  static async start(
    options: { members?: 1 | 3; tls?: { ca: string; cert: string; key: string } } = {},
  ): Promise<Etcd> {
    const { members: size = 1, tls } = options;
    const folder = mkdtempSync(join(tmpdir(), 'weavets-etcd-'));
    const ports = await freePorts(size * 2);
    const scheme = tls ? 'https' : 'http';
    const peerOf = (i: number) => `http://127.0.0.1:${ports[size + i]}`;
    const cluster = Array.from({ length: size }, (_, i) => `m${i}=${peerOf(i)}`).join(',');
    const members = Array.from({ length: size }, (_, i): Member => {
      const client = `${scheme}://127.0.0.1:${ports[i]}`;
      return {
        name: `m${i}`,
        client,
        process: undefined,
        argv: [
          ...['--name', `m${i}`, '--data-dir', join(folder, `m${i}`), '--log-level', 'error'],
          ...['--listen-client-urls', client, '--advertise-client-urls', client],
          ...['--listen-peer-urls', peerOf(i), '--initial-advertise-peer-urls', peerOf(i)],
          ...['--initial-cluster', cluster],
          ...(tls
            ? [
                '--cert-file',
                tls.cert,
                '--key-file',
                tls.key,
                '--trusted-ca-file',
                tls.ca,
                '--client-cert-auth',
              ]
            : []),
        ],
      };
    });
    const etcd = new Etcd(folder, members, tls);
    for (let i = 0; i < size; i++) etcd.launch(i);
    await etcd.healthy();
    return etcd;
  }

  get endpoints(): string[] {
    return this.#members.map(({ client }) => client);
  }

  /** Starts a member, with the data that it left. */
  launch(index = 0): void {
    const member = this.#members[index] as Member;
    member.process = spawn('etcd', member.argv, { stdio: 'ignore' });
  }

  /** Sends a signal; of SIGKILL it waits for the end. */
  async kill(signal: NodeJS.Signals, index = 0): Promise<void> {
    const child = (this.#members[index] as Member).process;
    if (!child) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    if (signal !== 'SIGKILL') return;
    await ended;
    (this.#members[index] as Member).process = undefined;
  }

  /** Index of the member that leads. */
  async leader(): Promise<number> {
    const status = JSON.parse(await this.ctl('endpoint', 'status', '-w', 'json')) as {
      Endpoint: string;
      Status: { header: { member_id: number }; leader: number };
    }[];
    return status.findIndex(({ Status }) => Status.header.member_id === Status.leader);
  }

  /** Runs etcdctl. @returns its standard output */
  ctl(...args: string[]): Promise<string> {
    return runOk(['etcdctl', ...this.#flags(), ...args], { env: { ...process.env, ETCDCTL_API: '3' } });
  }

  /** Resolves when every member that runs serves. */
  async healthy(): Promise<void> {
    for (;;) {
      const { code } = await run(
        ['etcdctl', ...this.#flags(), '--command-timeout', '1s', 'endpoint', 'health'],
        {
          env: { ...process.env, ETCDCTL_API: '3' },
        },
      );
      if (code === 0) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let i = 0; i < this.#members.length; i++) await this.kill('SIGKILL', i);
    rmSync(this.folder, { recursive: true });
  }

  #flags(): string[] {
    const alive = this.#members.filter(({ process }) => process).map(({ client }) => client);
    const { tls } = this;
    return [
      '--endpoints',
      alive.join(','),
      ...(tls ? ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key] : []),
    ];
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
