import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { WeaveError } from '../../lib/errors.ts';
import { heartbeatPort } from '../../model/ports.ts';

/** Whether the path to a peer is known to work, in both directions. */
export type Reach = 'pending' | 'established' | 'failed';

/** ms */
const interval = 2_000;
/** Slices of the interval, with some peers asked in each: of a thousand answers at once some are lost. */
const turns = 10;
/** ms without an answer after which the path counts as failed */
const patience = 7_000;
const ask = Buffer.from('weavets?');
const answer = Buffer.from('weavets!');

/** Asks each peer every two seconds; VXLAN itself can't tell that nobody is at the other end. */
export class Heartbeat {
  readonly #socket: Socket;
  /** address to when it was first asked, and when it last answered; ms */
  readonly #peers = new Map<string, { since: number; answered: number }>();
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @throws WeaveError ADDRESS_IN_USE */
  static async start(local: string): Promise<Heartbeat> {
    const socket = createSocket('udp4');
    const heartbeat = new Heartbeat(socket);
    socket.on('message', (message, { address }) => heartbeat.#heard(message, address));
    try {
      socket.bind(heartbeatPort, local);
      await once(socket, 'listening');
    } catch (cause) {
      throw new WeaveError(
        'ADDRESS_IN_USE',
        `cannot use ${local}:${heartbeatPort}/udp; is another Weave running on this host?`,
        { cause },
      );
    }
    socket.on('error', () => {});
    heartbeat.#timer = setInterval(() => heartbeat.#askSome(), interval / turns).unref();
    socket.unref();
    return heartbeat;
  }

  setPeers(addresses: readonly string[]): void {
    const wanted = new Set(addresses);
    for (const address of this.#peers.keys()) if (!wanted.has(address)) this.#peers.delete(address);
    for (const address of wanted) {
      if (this.#peers.has(address)) continue;
      this.#peers.set(address, { since: performance.now(), answered: Number.NEGATIVE_INFINITY });
      this.#send(ask, address);
    }
  }

  reach(address: string): Reach {
    const peer = this.#peers.get(address);
    const now = performance.now();
    if (peer === undefined) return 'pending';
    if (now - peer.answered < patience) return 'established';
    return now - peer.since < patience ? 'pending' : 'failed';
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #askSome(): void {
    const addresses = [...this.#peers.keys()];
    for (let i = this.#turn; i < addresses.length; i += turns) this.#send(ask, addresses[i] as string);
    this.#turn = (this.#turn + 1) % turns;
  }

  #heard(message: Buffer, address: string): void {
    if (message.equals(ask)) this.#send(answer, address);
    const peer = this.#peers.get(address);
    if (peer && message.equals(answer)) peer.answered = performance.now();
  }

  #send(message: Buffer, address: string): void {
    // Noticing lost ones is the point.
    this.#socket.send(message, heartbeatPort, address, () => {});
  }
}
