import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { formatIp, type Ip } from '../../model/address.ts';
import type { Mac } from '../../model/mac.ts';

/** IPv4 and UDP headers. */
const headers = 28;
const kinds = { ask: Buffer.from('wv?1'), answer: Buffer.from('wv!1') } as const;
const nonceLength = 12;
const tagLength = 16;
const length = 4 + nonceLength + tagLength;

/** Bytes of the IP packet that carries the smallest message. */
export const smallestProbe = headers + length;

/** What came in and proved to be from a host that knows the key. */
export interface ProbeMessage {
  kind: keyof typeof kinds;
  /** which question it asks, or answers */
  nonce: string;
}

/** The key of two hosts, made of their ids, which only the store's readers know: no container does. */
export function probeKey(a: string, b: string): Buffer {
  const [first, second] = [a, b].sort();
  return createHash('sha256').update(`weavets probe\n${first}\n${second}`).digest();
}

export function newNonce(): string {
  return randomBytes(nonceLength).toString('latin1');
}

/** @param size bytes of the IP packet that is to carry it */
export function encodeProbe({ kind, nonce }: ProbeMessage, key: Buffer, size = smallestProbe): Buffer {
  const message = Buffer.alloc(size - headers);
  const body = Buffer.concat([kinds[kind], Buffer.from(nonce, 'latin1')]);
  body.copy(message);
  tagOf(body, key).copy(message, body.length);
  return message;
}

/** @returns undefined: it is not of a host that knows the key */
export function decodeProbe(message: Buffer, key: Buffer): ProbeMessage | undefined {
  const body = message.subarray(0, length - tagLength);
  const kind = body.subarray(0, 4).equals(kinds.ask) ? 'ask' : 'answer';
  if (message.length < length || !body.subarray(0, 4).equals(kinds[kind])) return undefined;
  if (!timingSafeEqual(message.subarray(length - tagLength, length), tagOf(body, key))) return undefined;
  return { kind, nonce: body.subarray(4).toString('latin1') };
}

/** Where a host's probe is, for those who know the host's id: containers can't even tell where to send. */
export interface ProbeAddress {
  mac: Mac;
  /** of 240.0.0.0/5, which nobody uses and where two hosts hardly ever meet */
  ip: Ip;
}

/** Addresses of probes are in here. */
export const probeRange = '240.0.0.0/5';

/** @param id of the host */
export function probeAddress(id: string): ProbeAddress {
  const hash = createHash('sha256').update(`weavets probe ${id}`).digest();
  const mac = hash.subarray(0, 6);
  mac[0] = ((mac[0] ?? 0) & 0xfc) | 0x02;
  const ip = (0xf0_00_00_00 + (hash.readUInt32BE(6) & 0x07_ff_ff_ff)) >>> 0;
  return { mac: (mac.toString('hex').match(/../g) ?? []).join(':') as Mac, ip: formatIp(ip) };
}

function tagOf(body: Buffer, key: Buffer): Buffer {
  return createHmac('sha256', key).update(body).digest().subarray(0, tagLength);
}
