import { once } from 'node:events';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { messageOf, WeaveError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { Attempts } from './attempts.ts';
import { ask, type JoiningHost, Messages, proof, protocol, type Welcome } from './messages.ts';
import { bindingOf, PasswordGuard, sameBinding } from './password.ts';
import type { TokenState } from './tokens.ts';

/** What a host that was asked decides. */
export interface Door {
  /** null: no password lets in */
  password: string | null;
  /** whoever reaches the port is let in */
  open: boolean;
  /** @throws WeaveError STORE_UNAVAILABLE */
  checkToken(secret: string): Promise<TokenState>;
  /**
   * Makes a host that has shown that it may part of the cluster.
   * @param by by what it may
   * @returns what it needs, or that it must wait
   * @throws WeaveError that is shown to it
   */
  admit(host: JoiningHost, by: 'token' | 'password' | 'open'): Promise<Welcome | 'wait'>;
}

/** How to serve. */
export interface JoinServerOptions {
  address: string;
  port: number;
  /** PEM: a certificate for servers, its key, and the authority that it is of */
  certificate: { cert: string; key: string; ca: string };
  door: Door;
  logger: Logger;
}

/** ms for showing that one may. */
const patience = 10_000;
/** ms in total: an asked host that becomes a cluster starts an etcd meanwhile. */
const longPatience = 60_000;
/** Connections at once. */
const most = 32;

/** Lets hosts into the cluster, over TLS, on an address of the host towards the others. */
export class JoinServer {
  readonly #server: Server;
  readonly #door: Door;
  readonly #logger: Logger;
  readonly #attempts = new Attempts();
  readonly #sockets = new Set<TLSSocket>();
  #guard: Promise<PasswordGuard> | undefined;

  private constructor({ certificate, door, logger }: JoinServerOptions) {
    this.#door = door;
    this.#logger = logger;
    this.#server = createServer({
      ...contextOf(certificate),
      minVersion: 'TLSv1.3',
      ALPNProtocols: [protocol],
      handshakeTimeout: patience,
    });
    this.#server.maxConnections = most;
    this.#server.on('tlsClientError', (error) => logger.debug({ reason: messageOf(error) }, 'no TLS'));
    this.#server.on('secureConnection', (socket) => void this.#serve(socket));
  }

  /** @throws WeaveError ADDRESS_IN_USE */
  static async start(options: JoinServerOptions): Promise<JoinServer> {
    const { address, port } = options;
    const join = new JoinServer(options);
    try {
      await once(join.#server.listen(port, address), 'listening');
    } catch (cause) {
      throw new WeaveError(
        'ADDRESS_IN_USE',
        `cannot listen on ${address}:${port} for hosts that join: ${messageOf(cause)}`,
        { cause },
      );
    }
    return join;
  }

  /** For those who come from now on. */
  setCertificate(certificate: JoinServerOptions['certificate']): void {
    this.#server.setSecureContext({ ...contextOf(certificate), minVersion: 'TLSv1.3' });
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(socket: TLSSocket): Promise<void> {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    let timer = setTimeout(() => socket.destroy(), patience);
    const messages = new Messages(socket);
    const from = socket.remoteAddress ?? '';
    try {
      const { host, by } = await messages.read(ask);
      const binding = await this.#check({ by, from, messages, socket });
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), longPatience);
      const welcome = await this.#door.admit(host, by.kind);
      if (welcome === 'wait') messages.write(waiting);
      else {
        this.#logger.info({ host: host.nickname, address: host.address }, 'a host joins the cluster');
        messages.write({ welcome, binding });
      }
    } catch (error) {
      this.#logger.warn({ from, reason: messageOf(error) }, 'a host was not let into the cluster');
      const message =
        error instanceof WeaveError ? error.message : 'a fault of the host that was asked; see its log';
      messages.write({ refused: { wait: false, message } });
    } finally {
      clearTimeout(timer);
      socket.end();
      // A side left open has nothing more to say.
      setTimeout(() => socket.destroy(), patience).unref();
    }
  }

  /** @returns what proves the password to the other side, too @throws WeaveError JOIN_REFUSED */
  async #check({ by, from, messages, socket }: Showing): Promise<string | undefined> {
    const { open, password } = this.#door;
    if (by.kind === 'open') {
      if (open) return undefined;
      const way =
        password === null ? 'a token (launch --join TOKEN@HOST)' : 'the password (launch --password)';
      throw refused(`this cluster is not open: it takes ${way}`);
    }
    this.#attempts.check(from);
    // Counts as wrong until it succeeds: breaking off may teach an attacker just as much.
    this.#attempts.failed(from);
    const binding =
      by.kind === 'token'
        ? await this.#checkToken(by.secret)
        : await this.#checkPassword(by.request, messages, socket);
    this.#attempts.succeeded(from);
    return binding;
  }

  async #checkToken(secret: string): Promise<undefined> {
    const state = await this.#door.checkToken(secret);
    if (state === 'good') return;
    const what = state === 'expired' ? 'the token has expired' : 'the token is wrong, or was revoked';
    throw refused(`${what}; 'weavets cluster token' on a host of the cluster prints another`);
  }

  async #checkPassword(request: string, messages: Messages, socket: TLSSocket): Promise<string> {
    const { password } = this.#door;
    if (password === null) {
      throw refused('this cluster has no password; join it by a token: launch --join TOKEN@HOST');
    }
    this.#guard ??= PasswordGuard.of(password);
    const pending = (await this.#guard).start(request);
    messages.write({ response: pending.response });
    const { request: last, binding } = await messages.read(proof);
    const sessionKey = pending.finish(last);
    if (sessionKey === undefined) throw refused('the password is wrong');
    if (!sameBinding(binding, bindingOf(socket, sessionKey, 'asking'))) {
      throw refused('somebody stands between this host and the one that asks');
    }
    return bindingOf(socket, sessionKey, 'asked');
  }
}

interface Showing {
  by: { kind: 'open' } | { kind: 'token'; secret: string } | { kind: 'password'; request: string };
  from: string;
  messages: Messages;
  socket: TLSSocket;
}

/** The authority is sent along: a token has its fingerprint. */
function contextOf({ cert, key, ca }: JoinServerOptions['certificate']) {
  return { cert: `${cert.trimEnd()}\n${ca}`, key };
}

const waiting = { refused: { wait: true, message: 'that host looks for others itself' } };

const refused = (message: string) => new WeaveError('JOIN_REFUSED', message);
