import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runOk } from '../../src/lib/exec.ts';
import { until } from './until.ts';

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

/** How to start an {@link Etcd}. */
export interface EtcdOptions {
  members?: 1 | 3;
  /** clients must show a certificate as {@link Etcd.pem} has it */
  tls?: boolean;
  /** s that a token lasts, from when it was given; absent: as long as it is used */
  tokenSeconds?: number;
  /** a network namespace by name, and an address there; default: this process's, some address of loopback */
  at?: { netns: string; address: string };
}

/** A real etcd: `await using etcd = await Etcd.start()`. Ends, by pid, and leaves nothing behind. */
export class Etcd implements AsyncDisposable {
  readonly folder: string;
  /** paths of the certificates, with TLS */
  readonly #files: Pem | undefined;
  readonly #members: Member[];
  readonly #inside: readonly string[];
  #user: string | undefined;

  private constructor(folder: string, members: Member[], files: Pem | undefined, inside: readonly string[]) {
    this.folder = folder;
    this.#members = members;
    this.#files = files;
    this.#inside = inside;
  }

  static async start({ members: size = 1, tls = false, tokenSeconds, at }: EtcdOptions = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'weavets-etcd-'));
    const ports = ownPorts(size * 2);
    const { netns, address = loopbackAddress() } = at ?? {};
    const files = tls ? await certificates(folder, address) : undefined;
    const scheme = tls ? 'https' : 'http';
    const peerOf = (i: number) => `http://${address}:${ports[size + i]}`;
    const token = tokenSeconds === undefined ? [] : ['--auth-token', await signedToken(folder, tokenSeconds)];
    const cluster = Array.from({ length: size }, (_, i) => `m${i}=${peerOf(i)}`).join(',');
    const members = Array.from({ length: size }, (_, i): Member => {
      const client = `${scheme}://${address}:${ports[i]}`;
      return {
        name: `m${i}`,
        client,
        process: undefined,
        argv: [
          ...['--name', `m${i}`, '--data-dir', join(folder, `m${i}`), '--log-level', 'error'],
          ...['--listen-client-urls', client, '--advertise-client-urls', client],
          ...['--listen-peer-urls', peerOf(i), '--initial-advertise-peer-urls', peerOf(i)],
          ...['--initial-cluster', cluster, ...token],
          // On a busy machine one may be late with its heartbeat: others must not vote then, unasked for.
          ...(size > 1 ? ['--heartbeat-interval', '300', '--election-timeout', '3000'] : []),
          ...(files ? ['--cert-file', files.cert, '--key-file', files.key] : []),
          ...(files ? ['--trusted-ca-file', files.ca, '--client-cert-auth'] : []),
        ],
      };
    });
    const etcd = new Etcd(
      folder,
      members,
      files,
      netns === undefined ? [] : ['nsenter', `--net=/run/netns/${netns}`],
    );
    for (let i = 0; i < size; i++) etcd.launch(i);
    await etcd.healthy();
    return etcd;
  }

  /** Paths of what a client needs with TLS. */
  get files(): Pem {
    if (!this.#files) throw new Error('this etcd was started without tls');
    return this.#files;
  }

  /** What a client needs with TLS, as PEM texts. */
  get pem(): Pem {
    const { ca, cert, key } = this.files;
    return { ca: readFileSync(ca, 'utf8'), cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  }

  get endpoints(): string[] {
    return this.#members.map(({ client }) => client);
  }

  /** Starts a member, with the data that it left. */
  launch(index = 0): void {
    const member = this.#members[index] as Member;
    const [file = 'etcd', ...args] = [...this.#inside, 'etcd', ...member.argv];
    // It is killed here, but the machine is not: a disk that is busy needs not be waited for.
    const env = { ...process.env, ETCD_UNSAFE_NO_FSYNC: 'true' };
    member.process = spawn(file, args, { stdio: 'ignore', env });
  }

  /** Enables users: `weavets`, with this password, has access to `/weavets/`, and nobody else does. */
  async enableUsers(password: string): Promise<void> {
    await this.ctl('user', 'add', 'root:secret');
    await this.ctl('user', 'add', `weavets:${password}`);
    await this.ctl('role', 'add', 'weavets');
    await this.ctl('role', 'grant-permission', 'weavets', '--prefix=true', 'readwrite', '/weavets/');
    await this.ctl('user', 'grant-role', 'root', 'root');
    await this.ctl('user', 'grant-role', 'weavets', 'weavets');
    await this.ctl('auth', 'enable');
    this.#user = 'root:secret';
  }

  /** Sends a signal; of SIGKILL it waits for the end, of SIGSTOP until no thread runs any more. */
  async kill(signal: NodeJS.Signals, index = 0): Promise<void> {
    const child = (this.#members[index] as Member).process;
    if (!child) return;
    const ended = hasEnded(child) ? undefined : once(child, 'exit');
    child.kill(signal);
    if (signal === 'SIGSTOP') await until('etcd has stopped', () => hasStopped(child.pid as number));
    if (signal !== 'SIGKILL') return;
    await ended;
    (this.#members[index] as Member).process = undefined;
  }

  /** Sets the only member, which must not run, back to a snapshot. */
  async restore(snapshot: string): Promise<void> {
    const { argv } = this.#members[0] as Member;
    const option = (name: string) => [name, argv[argv.indexOf(name) + 1] as string];
    rmSync(option('--data-dir')[1] as string, { recursive: true });
    const options = ['--name', '--data-dir', '--initial-cluster', '--initial-advertise-peer-urls'];
    await runOk(['etcdctl', 'snapshot', 'restore', snapshot, ...options.flatMap(option)], {
      env: { ...process.env, ETCDCTL_API: '3' },
    });
  }

  /** Index of the member that leads. */
  async leader(): Promise<number> {
    let leader = -1;
    await until('one member leads', async () => {
      const status = JSON.parse(await this.ctl('endpoint', 'status', '-w', 'json')) as {
        Endpoint: string;
        Status: { header: { member_id: number }; leader: number };
      }[];
      leader = status.findIndex(({ Status }) => Status.header.member_id === Status.leader);
      return leader >= 0;
    });
    return leader;
  }

  /** Runs etcdctl, which waits for a member that is about to serve. @returns its standard output */
  ctl(...args: string[]): Promise<string> {
    return runOk(this.#ctl('--dial-timeout', '60s', '--command-timeout', '60s', ...args), {
      env: { ...process.env, ETCDCTL_API: '3' },
      deadline: 150_000,
    });
  }

  /** Resolves when every member that runs serves. @throws when one has ended by itself, or none does in two minutes */
  async healthy(): Promise<void> {
    const serves = async () => {
      for (const { name, process } of this.#members)
        if (process && hasEnded(process)) throw new Error(`etcd ${name} has ended (${process.exitCode})`);
      const { code } = await run(this.#ctl('--command-timeout', '5s', 'endpoint', 'health'), {
        env: { ...process.env, ETCDCTL_API: '3' },
      });
      return code === 0;
    };
    await until('etcd serves', serves, 120_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let i = 0; i < this.#members.length; i++) await this.kill('SIGKILL', i);
    rmSync(this.folder, { recursive: true });
  }

  #ctl(...args: string[]): [string, ...string[]] {
    const alive = this.#members.filter(({ process }) => process).map(({ client }) => client);
    const files = this.#files;
    const [file = 'etcdctl', ...before] = [...this.#inside, 'etcdctl'];
    return [
      file,
      ...before,
      ...['--endpoints', alive.join(',')],
      ...(files ? ['--cacert', files.ca, '--cert', files.cert, '--key', files.key] : []),
      ...(this.#user === undefined ? [] : ['--user', this.#user]),
      ...args,
    ];
  }
}

/** Below those that the kernel gives to whoever asks for any, and other ones for each etcd of a test file. */
let nextPort = 12_379;

function ownPorts(count: number): number[] {
  nextPort += count;
  return Array.from({ length: count }, (_, i) => nextPort - count + i);
}

/** Test files that run at the same time share the machine's loopback, but no address of it. */
const loopbackAddress = () => `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

/** A CA, and a certificate of it that serves for both sides. */
async function certificates(folder: string, address: string): Promise<Pem> {
  const at = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout'];
  const issue = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-copy_extensions', 'copy'];
  const name = ['-subj', '/CN=host', '-addext', `subjectAltName=IP:${address}`];
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

/** What `--auth-token` takes for tokens that end at their time, used or not. */
async function signedToken(folder: string, seconds: number): Promise<string> {
  const [key, pub] = [join(folder, 'token.key'), join(folder, 'token.pub')];
  await runOk(['openssl', 'genrsa', '-out', key, '2048']);
  await runOk(['openssl', 'rsa', '-in', key, '-pubout', '-out', pub]);
  return `jwt,priv-key=${key},pub-key=${pub},sign-method=RS256,ttl=${seconds}s`;
}

/** True when each thread of a process is stopped: the kernel takes one after the other. */
function hasStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  try {
    return readdirSync(tasks).every((task) =>
      /^State:\tT/m.test(readFileSync(`${tasks}/${task}/status`, 'utf8')),
    );
  } catch {
    // One has just ended.
    return false;
  }
}
