import { once } from 'node:events';
import { chmodSync, chownSync } from 'node:fs';
import { mkdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type ServerOpts, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { messageOf, WeaveError } from '../../lib/errors.ts';
import { type Endpoint, formatEndpoint, isLoopback, parseEndpoint } from '../../model/endpoint.ts';
import type { TlsFiles } from '../../model/tls.ts';
import { adopt, decrypted, type SocketReader } from './reads.ts';
import { readTls, type TlsContext } from './tls.ts';

/** Clients waiting to be accepted, as in dockerd; limited by the kernel's somaxconn. */
const backlog = 4096;
/** The first file descriptor that systemd passes on. */
const firstPassed = 3;

/** Where and how to listen. */
export interface ListenOptions {
  /** `unix:///path`, `tcp://ip:port`, `ip:port`, `fd://` (all sockets that systemd passes on) */
  hosts: readonly string[];
  /** the engine's own unix socket, whose owner, group and mode ours get; undefined: root and 0660 */
  like: string | undefined;
  /** for TCP */
  tls: TlsFiles | null;
  /** TCP without TLS on other addresses than loopback */
  allowInsecureTcp: boolean;
  /** a client came */
  accept: (client: SocketReader) => void;
}

/** An open socket. Closing the server also removes a unix socket's file. */
export interface Listener {
  /** the form that DOCKER_HOST takes, with the real port */
  address: string;
  server: Server;
  /** TLS clients during their handshake, when nobody else has them */
  sockets: ReadonlySet<Socket>;
}

/**
 * Listens on all of the hosts, or on none.
 * @throws WeaveError USAGE, ADDRESS_IN_USE, INSECURE_TCP, TLS_CONFIG, LAUNCH_FAILED
 */
export async function listen(request: ListenOptions): Promise<Listener[]> {
  const endpoints = request.hosts.map((host) => parseEndpoint(host));
  for (const endpoint of endpoints) checkExposure(endpoint, request);
  const tls = request.tls ? await serverTls(request.tls) : undefined;
  const listeners: Listener[] = [];
  try {
    for (const endpoint of endpoints) {
      if (endpoint.kind === 'unix') listeners.push(await listenUnix(endpoint.path, request));
      else if (endpoint.kind === 'tcp') listeners.push(await listenTcp(endpoint, tls, request.accept));
      else for (const fd of passedSockets()) listeners.push(await listenPassed(fd, tls, request));
    }
  } catch (error) {
    for (const { server } of listeners) server.close();
    throw error;
  }
  return listeners;
}

function checkExposure(endpoint: Endpoint, { tls, allowInsecureTcp }: ListenOptions): void {
  if (endpoint.kind !== 'tcp' || tls || allowInsecureTcp || isLoopback(endpoint.host)) return;
  throw new WeaveError(
    'INSECURE_TCP',
    `${formatEndpoint(endpoint)} would give root on this host to whoever reaches it; use --tlsverify, or a unix socket, or say --allow-insecure-tcp`,
  );
}

async function serverTls(files: TlsFiles): Promise<TlsContext & { requestCert: boolean }> {
  if (!files.cert || !files.key)
    throw new WeaveError('TLS_CONFIG', 'TLS on the proxy needs --tlscert and --tlskey');
  if (files.verify && !files.ca)
    throw new WeaveError('TLS_CONFIG', '--tlsverify needs --tlscacert, the authority of the clients');
  return { ...(await readTls(files)), requestCert: files.verify };
}

async function listenUnix(path: string, { like, accept }: ListenOptions): Promise<Listener> {
  if (path === like)
    throw new WeaveError('USAGE', `${path} is the engine's own socket; give the proxy another`);
  await mkdir(dirname(path), { recursive: true });
  await removeStale(path);
  const owner = like === undefined ? undefined : await stat(like).catch(() => undefined);
  const server = createPlainServer({}, accept);
  // Bound privately, then given its owner and mode.
  const umask = process.umask(0o177);
  try {
    server.listen({ path, backlog });
  } finally {
    process.umask(umask);
  }
  await listening(server, `unix://${path}`);
  // The mode first: without CAP_FOWNER only the owner may change it.
  chmodSync(path, owner ? owner.mode & 0o777 : 0o660);
  chownSync(path, owner?.uid ?? 0, owner?.gid ?? 0);
  return listener(`unix://${path}`, server);
}

/** Removes the file of a dead socket. */
async function removeStale(path: string): Promise<void> {
  const file = await stat(path).catch(() => undefined);
  if (!file) return;
  if (!file.isSocket())
    throw new WeaveError('ADDRESS_IN_USE', `${path} exists and is no socket; remove it or choose another -H`);
  const probe = connect(path);
  const answered = await once(probe, 'connect').then(
    () => true,
    () => false,
  );
  probe.destroy();
  if (answered) throw inUse(`unix://${path}`);
  await rm(path, { force: true });
}

async function listenTcp(
  { host, port }: { host: string; port: number },
  tls: (TlsContext & { requestCert: boolean }) | undefined,
  accept: (client: SocketReader) => void,
): Promise<Listener> {
  const server = createTcpServer(tls, accept);
  server.listen({ host, port, backlog });
  await listening(server, formatEndpoint({ kind: 'tcp', host, port }));
  const bound = server.address() as AddressInfo;
  return listener(formatEndpoint({ kind: 'tcp', host, port: bound.port }), server, tls && server);
}

function createTcpServer(
  tls: (TlsContext & { requestCert: boolean }) | undefined,
  accept: (client: SocketReader) => void,
): Server {
  // Keep-alive probes find clients whose machine is gone.
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
  if (!tls) return createPlainServer(options, accept);
  const secure = { ...options, ...tls, allowHalfOpen: true, rejectUnauthorized: tls.requestCert };
  return createTlsServer(secure, (client) => accept(decrypted(client)));
}

function createPlainServer(options: ServerOpts, accept: (client: SocketReader) => void): Server {
  return createServer({ ...options, allowHalfOpen: true }, (client) => accept(adopt(client)));
}

/** Systemd's sockets: their unit, not --allow-insecure-tcp, says who may connect. */
async function listenPassed(
  fd: number,
  tls: (TlsContext & { requestCert: boolean }) | undefined,
  { accept }: ListenOptions,
): Promise<Listener> {
  const plain = createPlainServer({ noDelay: true }, accept).listen({ fd, backlog });
  await listening(plain, `file descriptor ${fd}`);
  const bound = plain.address();
  if (bound === null || typeof bound === 'string') return listener(`unix://${await pathOf(fd)}`, plain);
  const address = formatEndpoint({ kind: 'tcp', host: bound.address, port: bound.port });
  if (!tls) return listener(address, plain);
  const secure = createTcpServer(tls, accept);
  plain.removeAllListeners('connection').on('connection', (socket) => secure.emit('connection', socket));
  return listener(address, plain, secure);
}

function listener(address: string, server: Server, secure?: Server): Listener {
  const sockets = new Set<Socket>();
  secure?.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return { address, server, sockets };
}

/** Path of a unix socket that is known by its file descriptor only. */
async function pathOf(fd: number): Promise<string> {
  const inode = /\d+/.exec(await readlink(`/proc/self/fd/${fd}`))?.[0];
  const table = await readFile('/proc/self/net/unix', 'utf8');
  return new RegExp(` ${inode} (/.*)$`, 'm').exec(table)?.[1] ?? '';
}

function passedSockets(): number[] {
  const count = process.env.LISTEN_PID === String(process.pid) ? Number(process.env.LISTEN_FDS) : 0;
  if (!(count > 0))
    throw new WeaveError(
      'USAGE',
      'fd:// needs sockets that systemd passed to this very process (LISTEN_FDS, LISTEN_PID), and there are none; let the unit run: weavets launch --foreground -H fd://',
    );
  return Array.from({ length: count }, (_, index) => firstPassed + index);
}

async function listening(server: Server, address: string): Promise<void> {
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw inUse(address, error);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new WeaveError('USAGE', `${address} is not an address of this host; choose another -H`, {
        cause: error,
      });
    throw new WeaveError('LAUNCH_FAILED', `cannot listen on ${address}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function inUse(address: string, cause?: unknown): WeaveError {
  return new WeaveError(
    'ADDRESS_IN_USE',
    `somebody else listens on ${address}; stop them or choose another -H`,
    { cause },
  );
}
