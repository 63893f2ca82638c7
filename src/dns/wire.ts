import dns from 'dns-packet';

/** Response codes (RFC 1035, 6891). */
export const rcodes = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;
export type Rcode = (typeof rcodes)[keyof typeof rcodes];

const headerLength = 12;
const optLength = 11;
/** owner (the root), type, class, TTL, length of no data */
const shortestRecord = 11;

/** A question as received, and what its answer needs from the packet. */
export interface Query {
  packet: Buffer;
  /** where the question section ends in the packet */
  questionEnd: number;
  /** lower-case, with the final dot; `.` for the root */
  name: string;
  /** `A`, `PTR`, …; `UNKNOWN_65` for what dns-packet has no name for */
  type: string;
  /** `IN`, `CH`, … */
  class: string;
  /** null: the client does not speak EDNS (RFC 6891) */
  edns: {
    /** bytes that it accepts over UDP */
    size: number;
    version: number;
    dnssecOk: boolean;
  } | null;
}

/**
 * Reads a query.
 * @returns the code to refuse it with if it is one that nobody can answer, or null for what must not be answered at all:
 * too short to have an id and flags, or itself a response (two servers would go on answering each other)
 */
export function readQuery(packet: Buffer): Query | Rcode | null {
  if (packet.length < headerLength || isResponse(packet)) return null;
  const opcode = (packet.readUInt8(2) >> 3) & 15;
  if (opcode !== 0) return rcodes.NOTIMP;
  const questionEnd = endOfQuestion(packet);
  if (packet.readUInt16BE(4) !== 1 || questionEnd === null) return rcodes.FORMERR;
  // More records than fit: dns-packet would first allocate what the header promises.
  const records = packet.readUInt16BE(6) + packet.readUInt16BE(8) + packet.readUInt16BE(10);
  if (questionEnd + shortestRecord * records > packet.length) return rcodes.FORMERR;
  try {
    const { questions, additionals } = dns.decode(packet);
    const question = questions?.[0];
    const opts = additionals?.filter((record) => record.type === 'OPT') ?? [];
    if (question === undefined || opts.length > 1) return rcodes.FORMERR;
    const opt = opts[0];
    return {
      packet,
      questionEnd,
      name: question.name === '.' ? '.' : `${question.name.toLowerCase()}.`,
      type: question.type,
      class: question.class ?? 'IN',
      edns: opt ? { size: opt.udpPayloadSize, version: opt.ednsVersion, dnssecOk: opt.flag_do } : null,
    };
  } catch {
    return rcodes.FORMERR;
  }
}

/** True if a packet, at least a header long, says that it is a response. */
export function isResponse(packet: Buffer): boolean {
  return packet.readUInt8(2) >= 0x80;
}

/** Response code of a response (without EDNS's upper bits). */
export function rcodeOf(packet: Buffer): number {
  return packet.readUInt8(3) & 15;
}

/** Offset after the packet's only question; null if that is not whole. A pointer has nothing to point to. */
export function endOfQuestion(packet: Buffer): number | null {
  let offset = headerLength;
  for (let length = packet[offset]; length !== 0; length = packet[offset]) {
    if (length === undefined || length > 63) return null;
    offset += 1 + length;
  }
  const end = offset + 5;
  return end <= packet.length ? end : null;
}

/** A record of an answer: its owner is always the question's name. */
export interface Answer {
  /** 1: A, 12: PTR, 33: SRV */
  type: 1 | 12 | 33;
  data: Buffer;
}

/** @param address a dotted quad, which the table of names has only after a check: here it is read for speed */
export function addressRecord(address: string): Answer {
  const data = Buffer.allocUnsafe(4);
  let octet = 0;
  let at = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === 46) {
      data[at++] = octet;
      octet = 0;
    } else {
      octet = octet * 10 + code - 48;
    }
  }
  data[at] = octet;
  return { type: 1, data };
}

/** @param hostname with the final dot */
export function pointerRecord(hostname: string): Answer {
  return { type: 12, data: encodeName(hostname) };
}

/** All of the same priority and weight. @param target with the final dot */
export function serviceRecord(port: number, target: string): Answer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(port, 4);
  return { type: 33, data: Buffer.concat([head, encodeName(target)]) };
}

function encodeName(hostname: string): Buffer {
  const labels = hostname.split('.').map((label) => {
    const bytes = Buffer.from(label);
    return Buffer.from([bytes.length, ...bytes]);
  });
  return Buffer.concat(labels);
}

/** A reply's content beside the question. */
export interface Reply {
  rcode: Rcode;
  /** the name is ours */
  authoritative: boolean;
  ttl: number;
  answers: readonly Answer[];
  /** the largest reply in bytes; one with more answers than fit is truncated and marked so */
  limit: number;
}

/**
 * Encodes a reply by hand, for two reasons: the question goes back byte for byte, as clients compare its case and
 * dns-packet makes other bytes of names that aren't UTF-8; and the owner is a pointer to it, so that 29 addresses fit
 * into 512 bytes, which matters to musl, where what is cut off is lost.
 */
export function encodeReply(query: Query, reply: Reply): Buffer {
  const { rcode, authoritative, ttl, answers } = reply;
  const end = reply.limit - (query.edns ? optLength : 0);
  const size = answers.reduce((sum, { data }) => sum + 12 + data.length, query.questionEnd + optLength);
  const out = Buffer.allocUnsafe(Math.min(size, reply.limit));
  let offset = query.packet.copy(out, 0, 0, query.questionEnd);
  let count = 0;
  for (const { type, data } of answers) {
    if (offset + 12 + data.length > end) break;
    out.writeUInt16BE(0xc000 | headerLength, offset);
    out.writeUInt16BE(type, offset + 2);
    out.writeUInt16BE(1, offset + 4);
    out.writeUInt32BE(ttl, offset + 6);
    out.writeUInt16BE(data.length, offset + 10);
    offset += 12 + data.copy(out, offset + 12);
    count++;
  }
  writeHeader(out, query.packet, { rcode, authoritative, truncated: count < answers.length });
  out.writeUInt16BE(1, 4);
  out.writeUInt16BE(count, 6);
  out.writeUInt16BE(0, 8);
  out.writeUInt16BE(query.edns ? 1 : 0, 10);
  if (query.edns) {
    out.writeUInt8(0, offset);
    out.writeUInt16BE(41, offset + 1);
    out.writeUInt16BE(maxUdpSize, offset + 3);
    out.writeUInt8(rcode >> 4, offset + 5);
    out.writeUInt8(0, offset + 6);
    out.writeUInt16BE(query.edns.dnssecOk ? 0x8000 : 0, offset + 7);
    out.writeUInt16BE(0, offset + 9);
    offset += optLength;
  }
  return out.subarray(0, offset);
}

/** The largest UDP reply that we send or say we take. */
export const maxUdpSize = 4096;

/** Bytes that a UDP client accepts: 512, or what it says by EDNS, within reason. */
export function udpLimit(query: Query): number {
  return Math.min(Math.max(query.edns?.size ?? 512, 512), maxUdpSize);
}

/** A refusal for a packet whose question can't be read: just a header. */
export function encodeRefusal(packet: Buffer, rcode: Rcode): Buffer {
  const out = Buffer.alloc(headerLength);
  packet.copy(out, 0, 0, 2);
  writeHeader(out, packet, { rcode, authoritative: false, truncated: false });
  return out;
}

/** Flags: opcode, RD and CD are the query's; RA always, because we forward what isn't ours. */
function writeHeader(
  out: Buffer,
  query: Buffer,
  flags: { rcode: Rcode; authoritative: boolean; truncated: boolean },
): void {
  const aa = flags.authoritative ? 0x04 : 0;
  const tc = flags.truncated ? 0x02 : 0;
  out.writeUInt8(0x80 | (query.readUInt8(2) & 0x79) | aa | tc, 2);
  out.writeUInt8(0x80 | (query.readUInt8(3) & 0x10) | (flags.rcode & 15), 3);
}
