import { createHash, randomBytes } from 'node:crypto';
import { WeaveError } from '../../lib/errors.ts';

/** What a token contains: which authority to trust, and the secret that lets a host in. */
export interface JoinToken {
  /** of {@link fingerprintOf} */
  fingerprint: string;
  secret: string;
}

const form = /^WVTS-1-([0-9a-z]{50})-([0-9a-z]{25})$/;

/** Which certificate it is: SHA-256 of its DER, in 50 digits of base 36. */
export function fingerprintOf(der: Uint8Array): string {
  return base36(createHash('sha256').update(der).digest(), 50);
}

/** 128 random bits. */
export function newSecret(): string {
  return base36(randomBytes(16), 25);
}

/** `WVTS-1-<fingerprint>-<secret>` */
export function formatToken({ fingerprint, secret }: JoinToken): string {
  return `WVTS-1-${fingerprint}-${secret}`;
}

/** @throws WeaveError USAGE that does not show the token */
export function parseToken(text: string): JoinToken {
  const [, fingerprint, secret] = form.exec(text) ?? [];
  if (fingerprint !== undefined && secret !== undefined) return { fingerprint, secret };
  throw new WeaveError(
    'USAGE',
    "that is no token of a cluster; 'weavets cluster token' on a host of the cluster prints one, which begins with WVTS-1-",
  );
}

/** What is stored of a secret. It is random, so a plain hash reveals nothing. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function base36(bytes: Uint8Array, digits: number): string {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
    .toString(36)
    .padStart(digits, '0');
}
