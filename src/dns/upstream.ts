import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import dns from 'dns-packet';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { frame, frames } from './frames.ts';
import { parseResolvConf, readResolvConf } from './resolv-conf.ts';
import type { Client, Forwarder, Transport } from './server.ts';
import { Shares } from './shares.ts';
import { endOfQuestion, isResponse, rcodeOf, rcodes } from './wire.ts';

export interface UpstreamOptions {
  /** default /etc/resolv.conf */
  resolvConf?: string | undefined;
  /** `ip:port` where we listen ourselves; such servers are left out */
  own: () => readonly string[];
  /** of the servers; default 53 */
  port?: number;
  /** ms that one server has for one answer; default 2,000 */
  timeout?: number;
  logger: Logger;
}

/** As many as the C libraries use. */
const maxServers = 3;
const maxInFlight = 1_000;
/** queries a second that one asker may have passed on, and as many at once after a pause: each costs a socket */
const maxRate = 1_000;
/** ms for which the file's content is cached */
const freshness = 1_000;
/** ms for which a server that did not answer is asked last */
const penalty = 30_000;
const unhelpful = new Set<number>([rcodes.SERVFAIL, rcodes.NOTIMP, rcodes.REFUSED]);

/** The host's own name servers: those of its resolv.conf, in its order. */
export class UpstreamDns implements Forwarder {
  readonly #resolvConf: string;
  readonly #own: () => readonly string[];
  readonly #port: number;
  readonly #timeout: number;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #silentSince = new Map<string, number>();
  #servers: string[] = [];
  #search: string[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  readonly #shares = new Shares({ places: maxInFlight, rate: maxRate });
  readonly #probing = new Set<string>();

  constructor(options: UpstreamOptions) {
    this.#resolvConf = options.resolvConf ?? '/etc/resolv.conf';
    this.#own = options.own;
    this.#port = options.port ?? 53;
    this.#timeout = options.timeout ?? 2_000;
    this.#logger = options.logger;
    setMaxListeners(0, this.#closing.signal);
  }

  /**
   * Addresses of the servers, as the file has them now. It is read again at most once a second, which costs less than
   * any watch that survives renames, bind mounts and symbolic links.
   */
  get servers(): readonly string[] {
    const now = performance.now();
    if (now - this.#readAt < freshness) return this.#servers;
    this.#readAt = now;
    try {
      const { servers: listed, search } = parseResolvConf(readResolvConf(this.#resolvConf));
      this.#search = search;
      const servers = listed.filter((server) => !this.#isOwn(server)).slice(0, maxServers);
      if (servers.join() !== this.#servers.join()) this.#logger.info({ servers }, 'upstream DNS servers');
      this.#servers = servers;
    } catch (error) {
      // Missing while it is being replaced: its last content still holds.
      this.#logger.debug({ err: error }, 'cannot read the list of DNS servers');
    }
    return this.#servers;
  }

  /** Search domains, as the file has them now. */
  get search(): readonly string[] {
    void this.servers;
    return this.#search;
  }

  /** A server that others than this host can query; undefined: none. */
  beyondHost(): string | undefined {
    const isBeyond = (server: string) => isIPv4(server) && !server.startsWith('127.') && server !== '0.0.0.0';
    return this.servers.find(isBeyond) ?? resolvedServers().find(isBeyond);
  }

  /** Asks one server after the other. The query and the answer pass as they are, so every type of record survives. */
  async forward(query: Buffer, transport: Transport, client: Client): Promise<Buffer | null> {
    const share = this.#shares.take(client.address);
    if (share === undefined) return null;
    try {
      let last: Buffer | null = null;
      for (const server of this.#inOrder(this.#serversFor(client))) {
        const reply = await this.#ask(server, query, transport);
        if (reply && !unhelpful.has(rcodeOf(reply))) return reply;
        last = reply ?? last;
      }
      return last;
    } finally {
      share.giveBack();
    }
  }

  /** Gives up all pending queries. */
  close(): void {
    this.#closing.abort();
  }

  #isOwn(server: string): boolean {
    const loopback = server.startsWith('127.') || server === '0.0.0.0';
    return this.#own().some(
      (own) =>
        own === `${server}:${this.#port}` ||
        (own === `0.0.0.0:${this.#port}` && (loopback || isLocal(server))),
    );
  }

  #serversFor(client: Client): readonly string[] {
    const given = client.servers.filter((server) => !this.#isOwn(server));
    return given.length > 0 ? given : this.servers;
  }

  /** Recently failed ones come last, or every lookup would wait for a dead first server. */
  #inOrder(servers: readonly string[]): string[] {
    const since = performance.now() - penalty;
    const isSilent = (server: string) => (this.#silentSince.get(server) ?? Number.NEGATIVE_INFINITY) > since;
    return [...servers.filter((s) => !isSilent(s)), ...servers.filter(isSilent)];
  }

  async #ask(server: string, query: Buffer, transport: Transport): Promise<Buffer | null> {
    if (this.#closing.signal.aborted) return null;
    // An id of our own, as the client's may be guessed: the answer must come to a port and with an id that are random.
    const request = Buffer.from(query);
    request.writeUInt16BE(randomInt(0x10000));
    const ask = transport === 'udp' ? askUdp : askTcp;
    // Is the name slow, or the server dead? Checked once the time is up.
    const asking = setTimeout(() => void this.#probe(server), this.#timeout / 3);
    try {
      const reply = await ask(request, this.#exchange(server, this.#timeout));
      query.copy(reply, 0, 0, 2);
      this.#silentSince.delete(server);
      return reply;
    } catch (error) {
      // One that takes no TCP still answers everybody else.
      if (!(error instanceof NoAnswer) && transport === 'udp') this.#isSilent(server, error);
      return null;
    } finally {
      clearTimeout(asking);
    }
  }

  #exchange(server: string, timeout: number): Exchange {
    return { server, port: this.#port, timeout, signal: this.#closing.signal };
  }

  /** Sends a query that every server answers at once, if only with a refusal. */
  async #probe(server: string): Promise<void> {
    if (this.#probing.has(server) || this.#closing.signal.aborted) return;
    this.#probing.add(server);
    try {
      const probe = dns.encode({ id: randomInt(0x10000), questions: [{ type: 'NS', name: '.' }] });
      await askUdp(probe, this.#exchange(server, this.#timeout / 2));
      this.#silentSince.delete(server);
    } catch (error) {
      this.#isSilent(server, error);
    } finally {
      this.#probing.delete(server);
    }
  }

  #isSilent(server: string, error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const level = this.#silentSince.has(server) ? 'debug' : 'warn';
    this.#logger[level]({ server, reason: messageOf(error) }, 'an upstream DNS server does not answer');
    this.#silentSince.set(server, performance.now());
  }
}

/** No answer in time, and no other error. */
class NoAnswer extends Error {
  constructor(timeout: number) {
    super(`no answer in ${timeout} ms`);
  }
}

interface Exchange {
  server: string;
  port: number;
  timeout: number;
  signal: AbortSignal;
}

/**
 * A socket of its own for each query: the kernel then picks a random source port each time, which a forger must guess
 * beside the id; being connected, it hears nobody else, and an unreachable port at once.
 */
async function askUdp(request: Buffer, { server, port, timeout, signal }: Exchange): Promise<Buffer> {
  const socket = createSocket({ type: isIPv6(server) ? 'udp6' : 'udp4', signal });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      timer = setTimeout(() => reject(new NoAnswer(timeout)), timeout);
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed')));
      socket.on('connect', () => socket.send(request));
      socket.on('message', (reply) => {
        if (isAnswer(reply, request)) resolve(reply);
      });
      socket.connect(port, server);
    });
  } finally {
    clearTimeout(timer);
    // Closed already when the signal came.
    if (!signal.aborted) socket.close();
  }
}

async function askTcp(request: Buffer, { server, port, timeout, signal }: Exchange): Promise<Buffer> {
  const socket = new Socket({ signal }).connect(port, server);
  const timer = setTimeout(() => socket.destroy(new NoAnswer(timeout)), timeout);
  try {
    socket.write(frame(request));
    for await (const reply of frames(socket)) if (isAnswer(reply, request)) return reply;
    throw new Error('the connection was closed');
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** True if this is the answer to that very request: same id, same question; servers that can't read it leave it out. */
function isAnswer(reply: Buffer, request: Buffer): boolean {
  if (reply.length < 12 || !isResponse(reply) || reply.readUInt16BE(0) !== request.readUInt16BE(0))
    return false;
  if (reply.readUInt16BE(4) === 0) return rcodeOf(reply) !== rcodes.NOERROR;
  return questionOf(reply) === questionOf(request);
}

/** The question's bytes, case aside. */
function questionOf(packet: Buffer): string {
  return packet.toString('latin1', 12, endOfQuestion(packet) ?? packet.length).toLowerCase();
}

/** systemd-resolved's own servers, if the host uses it. */
function resolvedServers(): string[] {
  try {
    return parseResolvConf(readFileSync('/run/systemd/resolve/resolv.conf', 'utf8')).servers;
  } catch {
    return [];
  }
}

function isLocal(address: string): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address));
}
