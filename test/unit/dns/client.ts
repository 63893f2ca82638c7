import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import dns, { type Answer, type DecodedPacket, type Packet, type RecordType } from 'dns-packet';
import { NameTable } from '../../../src/dns/names.ts';
import { DnsServer, type DnsServerOptions, type Forwarder } from '../../../src/dns/server.ts';
import { silent } from '../../../src/lib/log.ts';

/** What dns-packet decodes besides what its types tell. */
export type Reply = DecodedPacket & { rcode: string; answers: Answer[]; additionals: Answer[] };

export type Transport = 'udp' | 'tcp';

/** ms: on a busy machine even what is answered at once may take its time. */
const patience = 60_000;

/** A server under test on the loopback, with no names but those given. */
export interface Running extends AsyncDisposable {
  server: DnsServer;
  names: NameTable;
  /** `ip:port` */
  at: string;
}

/** Forwards nothing: like a host without name servers. */
export const nowhere: Forwarder = { forward: async () => null };

export async function serve(options: Partial<DnsServerOptions> = {}): Promise<Running> {
  const names = new NameTable();
  const server = await DnsServer.listen({
    addresses: ['127.0.53.1'],
    port: 0,
    domain: 'weave.local.',
    ttl: 1,
    self: 'here',
    names,
    hosts: { find: () => [] },
    askers: { of: () => undefined },
    upstream: nowhere,
    logger: silent,
    ...options,
  });
  return { server, names, at: server.address, [Symbol.asyncDispose]: () => server.close() };
}

export function record(name: string, address: string, containerId = 'c1', origin = 'here') {
  return { hostname: `${name}.weave.local.`, address, containerId, origin };
}

export function question(name: string, type: RecordType = 'A', extra: Packet = {}): Buffer {
  return dns.encode({
    type: 'query',
    id: 4711,
    flags: dns.RECURSION_DESIRED,
    questions: [{ name, type }],
    ...extra,
  });
}

/** OPT record as a client sends it. */
export function edns(udpPayloadSize: number, fields: { ednsVersion?: number; flags?: number } = {}): Packet {
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
  };
  return { additionals: [{ ...opt, options: [], ...fields } as Answer] };
}

/** Sends bytes, gives the bytes of the first answer. @throws after {@link patience} without one */
export function exchange(at: string, packet: Buffer, transport: Transport = 'udp'): Promise<Buffer> {
  return transport === 'udp' ? exchangeUdp(at, packet) : exchangeTcp(at, packet);
}

export async function ask(at: string, packet: Buffer, transport?: Transport): Promise<Reply> {
  return dns.decode(await exchange(at, packet, transport)) as Reply;
}

/** Data of the answers, sorted. */
export function data(reply: Reply): string[] {
  return reply.answers.map((answer) => String('data' in answer && answer.data)).sort();
}

async function exchangeUdp(at: string, packet: Buffer): Promise<Buffer> {
  const [address = '', port = ''] = at.split(':');
  const socket = createSocket('udp4');
  try {
    const message = once(socket, 'message', { signal: AbortSignal.timeout(patience) });
    socket.send(packet, Number(port), address);
    return (await message)[0] as Buffer;
  } finally {
    socket.close();
  }
}

async function exchangeTcp(at: string, packet: Buffer): Promise<Buffer> {
  const [answer] = await conversation(at, [framed(packet)]);
  if (answer === undefined) throw new Error('the connection was closed without an answer');
  return answer;
}

export function framed(packet: Buffer): Buffer {
  return Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 255]), packet]);
}

/** Sends chunks over one TCP connection, each when the last has gone, then FIN. @returns all answers until its end */
export async function conversation(at: string, chunks: Buffer[]): Promise<Buffer[]> {
  const [host = '', port = ''] = at.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true, signal: AbortSignal.timeout(patience) });
  for (const chunk of chunks) await new Promise((sent) => socket.write(chunk, sent));
  socket.end();
  const bytes = Buffer.concat(await socket.toArray());
  const answers: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const end = offset + 2 + bytes.readUInt16BE(offset);
    answers.push(bytes.subarray(offset + 2, end));
    offset = end;
  }
  return answers;
}
