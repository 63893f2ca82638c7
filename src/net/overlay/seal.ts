import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { WeaveError } from '../../lib/errors.ts';

const cipher = 'aes-256-gcm';
const nonceLength = 12;
const tagLength = 16;

/**
 * Seals the hosts' public keys with the cluster's password, so that only hosts that know it take part: each key is
 * bound to its host's name, and a store that was tampered with can't put another in.
 */
export class KeySeal {
  readonly #key: Buffer;

  private constructor(key: Buffer) {
    this.#key = key;
  }

  /** @param salt of this cluster, base64; takes some 300 ms */
  static async derive(password: string, salt: string): Promise<KeySeal> {
    const derive = promisify<string, Buffer, number, object, Buffer>(scrypt);
    // OWASP's cost: 128 MiB a guess, for those who try passwords on what they read in the store.
    const cost = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 };
    return new KeySeal(await derive(password, Buffer.from(salt, 'base64'), 32, cost));
  }

  /** @returns base64: nonce, tag, sealed key */
  seal(publicKey: string, peer: string): string {
    const nonce = randomBytes(nonceLength);
    const sealing = createCipheriv(cipher, this.#key, nonce).setAAD(Buffer.from(peer));
    const sealed = Buffer.concat([sealing.update(publicKey, 'utf8'), sealing.final()]);
    return Buffer.concat([nonce, sealing.getAuthTag(), sealed]).toString('base64');
  }

  /** @throws WeaveError CLUSTER_MISMATCH: sealed with another password, for another peer, or altered */
  open(sealed: string, peer: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const [nonce, tag] = [
      bytes.subarray(0, nonceLength),
      bytes.subarray(nonceLength, nonceLength + tagLength),
    ];
    try {
      const opening = createDecipheriv(cipher, this.#key, nonce, { authTagLength: tagLength })
        .setAAD(Buffer.from(peer))
        .setAuthTag(tag);
      const text = opening.update(bytes.subarray(nonceLength + tagLength), undefined, 'utf8');
      return text + opening.final('utf8');
    } catch (cause) {
      throw new WeaveError(
        'CLUSTER_MISMATCH',
        `the key of peer ${peer} is not sealed with this host's password; launch all hosts with the same --password`,
        { cause },
      );
    }
  }
}
