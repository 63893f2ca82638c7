import { generateKeyPairSync } from 'node:crypto';
import { run } from '../../lib/exec.ts';
import { linkExists } from '../sysfs.ts';

/** base64 */
export interface KeyPair {
  privateKey: string;
  publicKey: string;
}

/** The keys of an earlier run's link: with them, the peers' sessions continue. */
export async function keysOfLink(link: string): Promise<KeyPair | undefined> {
  if (!linkExists(link)) return undefined;
  const [privateKey, publicKey] = await Promise.all(
    ['private-key', 'public-key'].map((what) => run(['wg', 'show', link, what])),
  );
  if (privateKey?.code !== 0 || publicKey?.code !== 0) return undefined;
  const pair = { privateKey: privateKey.stdout.trim(), publicKey: publicKey.stdout.trim() };
  return pair.publicKey === '(none)' ? undefined : pair;
}

export function makeKeys(): KeyPair {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const base64 = (text = '') => Buffer.from(text, 'base64url').toString('base64');
  return { privateKey: base64(d), publicKey: base64(x) };
}
