import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Askers } from './askers.ts';
import { frame, frames } from './frames.ts';
import { Responder, type ResponderDeps, type WhoAsks } from './responder.ts';
import { encodeRefusal, type Query, rcodeOf, rcodes, readQuery, udpLimit } from './wire.ts';

export type Transport = 'udp' | 'tcp';

/** Answers queries outside our domain. */
export interface Forwarder {
  /** The answer to a query, its id the query's, by the same transport; null if nobody answered. Never throws. */
  forward(query: Buffer, transport: Transport, client: Client): Promise<Buffer | null>;
}

/** Where a query came from. */
export interface Client {
  /** dotted quad */
  address: string;
  /** to query instead of the host's; empty: the host's */
  servers: readonly string[];
}

export interface DnsServerOptions extends ResponderDeps {
  /** IPv4 addresses of this host, usually the docker bridge's */
  addresses: readonly string[];
  /** 53; 0 lets the kernel choose */
  port: number;
  askers: Askers;
  upstream: Forwarder;
  logger: Logger;
}

const maxTcpConnections = 256;
/** of one address, so that nobody can take them all */
const maxTcpPerClient = 64;
/** ms within which a TCP client must send its next query whole, and take the answer */
const tcpIdle = 10_000;
const maxTcpSize = 65_535;

/** The name server that containers ask, over UDP and TCP. */
export class DnsServer {
  readonly #responder: Responder;
  readonly #askers: Askers;
  readonly #upstream: Forwarder;
  readonly #logger: Logger;
  readonly #listening = new Set<string>();
  readonly #udp: UdpSocket[] = [];
  readonly #tcp: Server[] = [];
  readonly #clients = new Set<Socket>();
  readonly #outbox: { udp: UdpSocket; reply: Buffer; peer: RemoteInfo }[] = [];

  private constructor(options: DnsServerOptions) {
    this.#responder = new Responder(options);
    this.#askers = options.askers;
    this.#upstream = options.upstream;
    this.#logger = options.logger;
  }

  /**
   * Listens on all addresses, or on none.
   * @throws WeaveError DNS_PORT_BUSY when someone else has the port, BAD_ADDRESS when the address isn't this host's
   */
  static async listen(options: DnsServerOptions): Promise<DnsServer> {
    const server = new DnsServer(options);
    try {
      for (const address of options.addresses) await server.#listenOn(address, options.port);
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** Listens on one more address, once. @throws like {@link listen} */
  async listenAlso(address: string, port: number): Promise<void> {
    if (!this.#listening.has(address)) await this.#listenOn(address, port);
  }

  /** `ip:port` of the first address. */
  get address(): string {
    const bound = this.#udp[0]?.address();
    return bound ? `${bound.address}:${bound.port}` : '';
  }

  /** Stops listening and drops all clients. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    const closed = [...this.#udp, ...this.#tcp].map(
      (socket) => new Promise<void>((done) => socket.close(() => done())),
    );
    this.#udp.length = 0;
    this.#tcp.length = 0;
    await Promise.all(closed);
  }

  async #listenOn(address: string, port: number): Promise<void> {
    try {
      const udp = await bindUdp(address, port);
      this.#udp.push(udp);
      // What send() can't deliver (no route, firewall) is one client's loss.
      udp.on('error', (error) => this.#logger.debug({ err: error }, 'cannot send a DNS answer'));
      udp.on('message', (packet, peer) => this.#onPacket(udp, packet, peer));
      const tcp = createServer({ allowHalfOpen: true, noDelay: true }, (client) => void this.#serve(client));
      tcp.maxConnections = maxTcpConnections;
      tcp.listen({ host: address, port: udp.address().port, exclusive: true });
      await once(tcp, 'listening');
      this.#tcp.push(tcp);
      this.#listening.add(address);
      // No file descriptor for the next client: those that are served go on.
      tcp.on('error', (error) => this.#logger.warn({ err: error }, 'cannot accept a DNS client over TCP'));
    } catch (error) {
      throw explain(error as NodeJS.ErrnoException, address, port);
    }
  }

  #onPacket(udp: UdpSocket, packet: Buffer, peer: RemoteInfo): void {
    const reply = this.#answer(packet, 'udp', peer.address);
    if (reply instanceof Promise) void reply.then((late) => this.#send(udp, late, peer));
    else this.#send(udp, reply, peer);
  }

  /**
   * Sends when the packets that came together are all answered: each send wakes the client, and one that sleeps again
   * in between makes the next send twice as dear (a third more answers a second, measured).
   */
  #send(udp: UdpSocket, reply: Buffer | null, peer: RemoteInfo): void {
    // A forged packet may come from port 0, at which send() throws.
    if (reply === null || peer.port === 0) return;
    if (this.#outbox.push({ udp, reply, peer }) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    for (const { udp, reply, peer } of this.#outbox.splice(0)) {
      // It may be closed by now.
      if (this.#udp.includes(udp)) udp.send(reply, peer.port, peer.address);
    }
  }

  /** Serves a TCP client until it ends, breaks off or idles. */
  async #serve(client: Socket): Promise<void> {
    const address = client.remoteAddress ?? '';
    const own = [...this.#clients].filter((other) => other.remoteAddress === address);
    if (own.length >= maxTcpPerClient) return void client.destroy();
    this.#clients.add(client);
    client.on('close', () => this.#clients.delete(client));
    const idle = setTimeout(() => client.destroy(), tcpIdle);
    try {
      await pipeline(client, (stream) => this.#replies(stream, idle, address), client);
    } catch (error) {
      this.#logger.debug({ err: error }, 'a DNS client disconnected');
    } finally {
      clearTimeout(idle);
    }
  }

  /** One query at a time per connection, so a client makes us hold one answer at most. */
  async *#replies(
    stream: AsyncIterable<Buffer>,
    idle: NodeJS.Timeout,
    address: string,
  ): AsyncGenerator<Buffer> {
    for await (const packet of frames(stream)) {
      const reply = await this.#answer(packet, 'tcp', address);
      idle.refresh();
      if (reply) yield frame(reply);
    }
  }

  /** The reply to a packet; null for none. Not a promise when the answer is our own: most are, and must be quick. */
  #answer(packet: Buffer, transport: Transport, address: string): Buffer | null | Promise<Buffer | null> {
    const query = readQuery(packet);
    if (query === null) return null;
    if (typeof query === 'number') return encodeRefusal(packet, query);
    const limit = transport === 'udp' ? udpLimit(query) : maxTcpSize;
    const asker = () => this.#askers.of(address);
    const own = this.#responder.answer(query, limit, asker);
    return own ?? this.#forward(query, { transport, limit, address, asker });
  }

  async #forward(query: Query, { transport, limit, address, asker }: Received): Promise<Buffer> {
    const servers = asker()?.servers ?? [];
    const reply = await this.#upstream.forward(query.packet, transport, { address, servers });
    const isKnown = reply !== null && rcodeOf(reply) !== rcodes.NXDOMAIN;
    if (isKnown) return reply;
    return this.#responder.nested(query, limit, asker) ?? reply ?? this.#responder.unanswered(query, limit);
  }
}

/** How a query came. */
interface Received {
  transport: Transport;
  /** bytes that the reply may have */
  limit: number;
  /** of the asker */
  address: string;
  asker: WhoAsks;
}

/** Bytes of room for a burst, as far as the host allows: the kernel drops the rest, and the client waits for its timeout. */
export const receiveBuffer = 1 << 20;

async function bindUdp(address: string, port: number): Promise<UdpSocket> {
  const udp = createSocket({
    type: 'udp4',
    recvBufferSize: receiveBuffer,
    // We only send to addresses: otherwise each send would wait for a lookup.
    lookup: (host, _options, done) => done(null, host, 4),
  });
  const listening = once(udp, 'listening');
  udp.bind({ address, port, exclusive: true });
  try {
    await listening;
    return udp;
  } catch (error) {
    udp.close();
    throw error;
  }
}

function explain(error: NodeJS.ErrnoException, address: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new WeaveError(
      'DNS_PORT_BUSY',
      `cannot serve DNS on ${address}:${port}: another program has the port; 'ss -ulpn sport = :${port}' shows which (-tlpn for TCP); stop it, or choose another address with --dns-listen-address`,
      { cause: error },
    );
  }
  if (error.code === 'EADDRNOTAVAIL') {
    return new WeaveError(
      'BAD_ADDRESS',
      `cannot serve DNS on ${address}:${port}: this host has no such address; 'ip addr' lists its addresses; choose one with --dns-listen-address`,
      { cause: error },
    );
  }
  return error;
}
