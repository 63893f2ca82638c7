import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runOk } from '../../src/lib/exec.ts';

interface Pem {
  ca: string;
  cert: string;
  key: string;
}

interface Member {
  name: string;
  client: string;
  argv: string[];
  process: ChildProcess | undefined;
}

/** A real etcd on loopback: `await using etcd = await Etcd.start()`. Ends, by pid, and leaves nothing behind. */
export class Etcd implements AsyncDisposable {
  readonly folder: string;
  /** paths of the certificates, with TLS */
  readonly #files: Pem | undefined;
  readonly #members: Member[];

  private constructor(folder: string, members: Member[], files: Pem | undefined) {
    this.folder = folder;
    this.#members = members;
    this.#files = files;
  }

  /** With `tls`, clients must show a certificate as {@link pem} has it. */
  static async start({ members: size = 1, tls = false }: { members?: 1 | 3; tls?: boolean } = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'weavets-etcd-'));
    const ports = await freePorts(size * 2);
    const files = tls ? await certificates(folder) : undefined;
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
          ...(files
            ? [
                '--cert-file',
                files.cert,
                '--key-file',
                files.key,
                '--trusted-ca-file',
                files.ca,
                '--client-cert-auth',
              ]
            : []),
        ],
      };
    });
    const etcd = new Etcd(folder, members, files);
    for (let i = 0; i < size; i++) etcd.launch(i);
    await etcd.healthy();
    return etcd;
  }

  /** What a client needs with TLS, as PEM texts. */
  get pem(): Pem {
    if (!this.#files) throw new Error('this etcd was started without tls');
    const { ca, cert, key } = this.#files;
    return { ca: readFileSync(ca, 'utf8'), cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
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
    const files = this.#files;
    return [
      '--endpoints',
      alive.join(','),
      ...(files ? ['--cacert', files.ca, '--cert', files.cert, '--key', files.key] : []),
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

/** A CA, and a certificate of it that serves for both sides. */
async function certificates(folder: string): Promise<Pem> {
  const at = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout'];
  const issue = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-copy_extensions', 'copy'];
  const name = ['-subj', '/CN=weavets', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await runOk([
    'openssl',
    'req',
    '-x509',
    ...key,
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-subj',
    '/CN=test ca',
  ]);
  await runOk(['openssl', 'req', ...key, at('key.pem'), '-out', at('request.pem'), ...name]);
  await runOk(['openssl', 'x509', '-req', '-in', at('request.pem'), ...issue, '-out', at('cert.pem')]);
  return { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem') };
}
