import { chmodSync, chownSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { TlsFiles } from '../control/contract.ts';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { type Endpoint, formatEndpoint, parseEndpoint } from './endpoint.ts';
import { readTls } from './tls.ts';

/** How and where to listen. */
export interface ListenSpec {
  /** `unix:///path`, `tcp://ip:port`, `ip:port`, `fd://` */
  hosts: readonly string[];
  /** on TCP */
  tls: TlsFiles | null;
  allowInsecureTcp: boolean;
  /** socket whose owner, group and mode ours take; undefined: root's, 0660 */
  like: string | undefined;
  onClient: (client: Socket) => void;
}

/** Something that listens, and where clients find it. */
export interface Listener {
  server: Server;
  /** in the form of DOCKER_HOST */
  address: string;
  /** path of a socket that was made here */
  socket: string | undefined;
}

/** First file descriptor that systemd passes on. */
const firstFd = 3;

/**
 * Listens on every endpoint, or on none.
 * @throws WeaveError ADDRESS_IN_USE, INSECURE_TCP, TLS_CONFIG, USAGE
 */
export async function listenAll(spec: ListenSpec): Promise<Listener[]> {
  const endpoints = spec.hosts.map((host) => parseEndpoint(host));
  for (const endpoint of endpoints) refuseInsecure(endpoint, spec);
  const listeners: Listener[] = [];
  try {
    for (const endpoint of endpoints) {
      if (endpoint.kind !== 'fd') listeners.push(await listenOn(endpoint, spec));
      else for (const fd of passedFds()) listeners.push(await listenFd(fd, spec));
    }
  } catch (error) {
    await closeAll(listeners);
    throw error;
  }
  return listeners;
}

/** Stops listening and removes the sockets that were made; connections go on. */
export async function closeAll(listeners: readonly Listener[]): Promise<void> {
  for (const { server, socket } of listeners) {
    server.close();
    if (socket !== undefined) rmSync(socket, { force: true });
  }
}

function refuseInsecure(endpoint: Endpoint, { tls, allowInsecureTcp }: ListenSpec): void {
  if (endpoint.kind !== 'tcp' || tls || allowInsecureTcp) return;
  if (/^(127\.|::1$|localhost$)/.test(endpoint.host)) return;
  throw new WeaveError(
    'INSECURE_TCP',
    `${formatEndpoint(endpoint)} would give root on this host to everyone who reaches it; use --tlsverify, a loopback address, or --allow-insecure-tcp if that is meant`,
  );
}

async function listenOn(endpoint: Exclude<Endpoint, { kind: 'fd' }>, spec: ListenSpec): Promise<Listener> {
  const address = formatEndpoint(endpoint);
  if (endpoint.kind === 'tcp') {
    const server = spec.tls ? await tlsServer(spec.tls, spec) : plainServer(spec);
    await listening(server, { host: endpoint.host, port: endpoint.port }, address);
    return { server, address, socket: undefined };
  }
  const { path } = endpoint;
  mkdirSync(dirname(path), { recursive: true });
  await removeStale(path, address);
  const server = plainServer(spec);
  // Bound under a umask: between bind and chmod anyone could connect. Node binds before `listen` returns.
  const umask = process.umask(0o177);
  const ready = listening(server, { path }, address);
  process.umask(umask);
  await ready;
  try {
    const { uid, gid, mode } =
      spec.like === undefined ? { uid: 0, gid: 0, mode: 0o660 } : statSync(spec.like);
    chownSync(path, uid, gid);
    chmodSync(path, mode & 0o777);
  } catch (error) {
    await closeAll([{ server, address, socket: path }]);
    throw error;
  }
  return { server, address, socket: path };
}

/** systemd's protocol: LISTEN_PID is us, LISTEN_FDS says how many from fd 3 on. */
function passedFds(): number[] {
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  const count = LISTEN_PID === String(process.pid) ? Number(LISTEN_FDS) : 0;
  if (!(count > 0)) {
    throw new WeaveError(
      'USAGE',
      'fd:// needs sockets from systemd, and none were passed on; start weavets by its socket unit',
    );
  }
  return Array.from({ length: count }, (_, i) => firstFd + i);
}

async function listenFd(fd: number, spec: ListenSpec): Promise<Listener> {
  const server = plainServer(spec);
  await listening(server, { fd } as ListenOptions, `fd ${fd}`);
  const at = server.address();
  if (typeof at === 'string') return { server, address: `unix://${at}`, socket: undefined };
  const endpoint: Endpoint = { kind: 'tcp', host: at?.address ?? '', port: at?.port ?? 0 };
  refuseInsecure(endpoint, spec);
  return { server, address: formatEndpoint(endpoint), socket: undefined };
}

function plainServer({ onClient }: ListenSpec): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, onClient);
}

async function tlsServer(files: TlsFiles, { onClient }: ListenSpec): Promise<Server> {
  const context = await readTls(files);
  const { verify } = files;
  try {
    const server = createTlsServer({
      ...context,
      requestCert: verify,
      rejectUnauthorized: verify,
      allowHalfOpen: true,
      noDelay: true,
    });
    // A client that does not speak TLS, or shows no certificate, is its own problem.
    server.on('tlsClientError', () => {});
    return server.on('secureConnection', onClient);
  } catch (error) {
    throw new WeaveError('TLS_CONFIG', `cannot use --tlscert and --tlskey: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function listening(server: Server, options: ListenOptions, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new WeaveError(
          'ADDRESS_IN_USE',
          `cannot listen on ${address} (${error.code}); is something else there? -H names another endpoint`,
          {
            cause: error,
          },
        ),
      );
    });
    server.listen(options, resolve);
  });
}

/** A socket that a dead daemon left is removed; one that somebody answers on is not ours to take. */
function removeStale(path: string, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      reject(
        new WeaveError('ADDRESS_IN_USE', `somebody listens on ${address} already; -H names another endpoint`),
      );
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') rmSync(path, { force: true });
      resolve();
    });
  });
}
