import { createSocket, type Socket } from 'node:dgram';
import { parseIp } from '../../model/address.ts';
import { vxlanPort } from '../../model/ports.ts';

/**
 * Tells this host's containers that an IP now has a MAC on another host. The bridge keeps ARP from crossing
 * hosts, gratuitous ARP too, and a container would go on sending to the former owner for seconds. So the frame is made
 * here: VXLAN to this host's own address, which the kernel takes for one that came from outside.
 */
export class Announcer {
  readonly #vni: number;
  #socket: Socket;
  /** never resolves if this host has lost its address */
  #connected: Promise<void>;
  #closed = false;

  /** @param local underlay address of this host's VXLAN link */
  constructor({ local, vni }: { local: string; vni: number }) {
    this.#vni = vni;
    [this.#socket, this.#connected] = connect(local);
  }

  /** The VXLAN link has another address. */
  move(local: string): void {
    this.#socket.close();
    [this.#socket, this.#connected] = connect(local);
  }

  announce(ip: string, mac: string): void {
    const frame = vxlanArp(this.#vni, ip, mac);
    const socket = this.#socket;
    const send = () => {
      if (!this.#closed && socket === this.#socket) socket.send(frame, () => {});
    };
    this.#connected.then(send).catch(() => {});
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
  }
}

function connect(local: string): [Socket, Promise<void>] {
  const socket = createSocket('udp4').unref();
  // Best effort: without it, neighbours find out by themselves some seconds later.
  socket.on('error', () => {});
  // Connected, it hears nobody else: no port is open to the network.
  return [socket, new Promise((done) => socket.connect(vxlanPort, local, done))];
}

/** A VXLAN datagram that carries a gratuitous ARP request: `ip` is at `mac`. */
function vxlanArp(vni: number, ip: string, mac: string): Buffer {
  const hardware = Buffer.from(mac.replaceAll(':', ''), 'hex');
  const address = Buffer.alloc(4);
  address.writeUInt32BE(parseIp(ip));
  const vxlan = Buffer.from([0x08, 0, 0, 0, 0, 0, 0, 0]);
  vxlan.writeUIntBE(vni, 4, 3);
  const broadcast = Buffer.alloc(6, 0xff);
  const arpType = Buffer.from([0x08, 0x06]);
  // Ethernet, IPv4, their lengths, request
  const arp = Buffer.from([0, 1, 0x08, 0, 6, 4, 0, 1]);
  return Buffer.concat([
    ...[vxlan, broadcast, hardware, arpType],
    ...[arp, hardware, address, Buffer.alloc(6), address],
  ]);
}
