import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { hasCode, messageOf, WeaveError } from '../../lib/errors.ts';
import { challenge, type JoiningHost, Messages, protocol, verdict, type Welcome } from './messages.ts';
import { bindingOf, claimPassword, sameBinding } from './password.ts';
import { fingerprintOf, type JoinToken } from './token.ts';

/** By what a host may join. */
export type Credential =
  | ({ kind: 'token' } & JoinToken)
  | { kind: 'password'; password: string }
  /** whoever answers is believed */
  | { kind: 'open' };

/** How to ask. */
export interface JoinOptions {
  /** name or address of a host of the cluster */
  host: string;
  port: number;
  by: Credential;
  self: JoiningHost;
  /** ms for the TLS connection; 5,000 if absent */
  connectTimeout?: number;
  signal?: AbortSignal;
}

/** ms in total: a host that becomes a cluster starts an etcd first. */
const patience = 60_000;
/** Extended key usage of servers. */
const serverAuth = '1.3.6.1.5.5.7.3.1';

/**
 * Asks a host to let this one into its cluster. Nothing secret is sent before the other side has proved who it is.
 * @returns 'wait' when the other looks for hosts itself, and may found a cluster or ask us
 * @throws WeaveError JOIN_UNREACHABLE; JOIN_REFUSED by either side
 */
export async function askToJoin(options: JoinOptions): Promise<Welcome | 'wait'> {
  const { host, port, by, self, signal } = options;
  const socket = await open(options);
  const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), patience);
  const abort = () => socket.destroy(new Error('stopped'));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    if (by.kind === 'token') checkPinned(socket, by.fingerprint, host);
    const messages = new Messages(socket);
    if (by.kind === 'password') return await byPassword({ ...options, by }, socket, messages);
    messages.write({ host: self, by: by.kind === 'token' ? { kind: 'token', secret: by.secret } : by });
    const answer = await messages.read(verdict);
    return 'refused' in answer ? refusal(answer.refused, host) : answer.welcome;
  } catch (error) {
    if (hasCode(error, 'JOIN_REFUSED')) throw error;
    throw unreachable(`${host}:${port}`, error);
  } finally {
    signal?.removeEventListener('abort', abort);
    clearTimeout(timer);
    socket.destroy();
  }
}

async function byPassword(
  { by, self, host }: JoinOptions & { by: { password: string } },
  socket: TLSSocket,
  messages: Messages,
): Promise<Welcome | 'wait'> {
  const claim = await claimPassword(by.password);
  messages.write({ host: self, by: { kind: 'password', request: claim.request } });
  const answer = await messages.read(challenge);
  if ('refused' in answer) return refusal(answer.refused, host);
  const done = claim.finish(answer.response);
  if (done === undefined) {
    throw new WeaveError(
      'JOIN_REFUSED',
      `${host} has another password; launch both hosts with the same --password`,
    );
  }
  messages.write({ request: done.request, binding: bindingOf(socket, done.sessionKey, 'asking') });
  const last = await messages.read(verdict);
  if ('refused' in last) return refusal(last.refused, host);
  if (sameBinding(last.binding ?? '', bindingOf(socket, done.sessionKey, 'asked'))) return last.welcome;
  throw new WeaveError(
    'JOIN_REFUSED',
    `somebody stands between this host and ${host}: do not join from here`,
  );
}

/** Connects; the certificate is verified by {@link checkPinned}, or the other side by the password. */
async function open({ host, port, connectTimeout = 5_000, signal }: JoinOptions): Promise<TLSSocket> {
  const socket = connect({
    host,
    port,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [protocol],
  });
  const late = AbortSignal.timeout(connectTimeout);
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.any([late, ...(signal ? [signal] : [])]) });
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw unreachable(`${host}:${port}`, late.aborted ? new Error('it does not answer') : error);
  }
  socket.on('error', () => {});
  if (socket.alpnProtocol === protocol) return socket;
  socket.destroy();
  throw unreachable(`${host}:${port}`, new Error('what answers there is no weavets'));
}

/** @throws WeaveError JOIN_REFUSED unless the other side has a certificate for servers of just that authority */
function checkPinned(socket: TLSSocket, fingerprint: string, host: string): void {
  const peer = socket.getPeerCertificate(true);
  const ca = new X509Certificate(peer.issuerCertificate?.raw ?? peer.raw);
  const leaf = new X509Certificate(peer.raw);
  if (fingerprintOf(ca.raw) !== fingerprint) {
    throw new WeaveError(
      'JOIN_REFUSED',
      `${host} is not of the cluster that made this token, or somebody stands between; make sure of the host's address`,
    );
  }
  const now = Date.now();
  const lasts = Date.parse(leaf.validFrom) <= now && now <= Date.parse(leaf.validTo);
  if (leaf.checkIssued(ca) && leaf.verify(ca.publicKey) && leaf.keyUsage?.includes(serverAuth) && lasts)
    return;
  throw new WeaveError(
    'JOIN_REFUSED',
    `${host} shows a certificate that its cluster did not make for it, or that is over (${leaf.validFrom} to ${leaf.validTo}); is the clock of this host right?`,
  );
}

function refusal({ wait, message }: { wait: boolean; message: string }, host: string): 'wait' {
  if (wait) return 'wait';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the text is another host's
  const words = message.replaceAll(/[\x00-\x1f\x7f]/g, ' ').slice(0, 500);
  throw new WeaveError('JOIN_REFUSED', `${host} does not let this host in: ${words}`);
}

function unreachable(where: string, cause: unknown): WeaveError {
  return new WeaveError(
    'JOIN_UNREACHABLE',
    `cannot join by way of ${where}: ${messageOf(cause)}; weavets must run there, and TCP port 6783 be open to this host`,
    { cause },
  );
}
