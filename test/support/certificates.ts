import { join } from 'node:path';
import { runOk } from '../../src/lib/exec.ts';

/** Paths of a certificate, its key, and the authority that signed it. */
export interface Certificate {
  ca: string;
  cert: string;
  key: string;
}

/** An authority of its own in a folder, whose certificates serve for both sides. */
export class Authority {
  readonly #folder: string;
  readonly #name: string;

  private constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  static async create(folder: string, name = 'ca'): Promise<Authority> {
    const authority = new Authority(folder, name);
    const out = ['-keyout', join(folder, `${name}.key`), '-out', authority.ca];
    await runOk(['openssl', 'req', '-x509', ...newKey, ...out, '-subj', `/CN=${name}`]);
    return authority;
  }

  /** Path of its own certificate. */
  get ca(): string {
    return join(this.#folder, `${this.#name}.pem`);
  }

  /** @param names as in subjectAltName, `DNS:localhost` or `IP:127.0.0.1` */
  async sign(name: string, names: readonly string[]): Promise<Certificate> {
    const [cert, key, request] = ['pem', 'key', 'request'].map((end) => join(this.#folder, `${name}.${end}`));
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names.join(',')}`];
    await runOk(['openssl', 'req', ...newKey, '-keyout', `${key}`, '-out', `${request}`, ...subject]);
    const caKey = join(this.#folder, `${this.#name}.key`);
    const issuer = ['-CA', this.ca, '-CAkey', caKey, '-CAcreateserial', '-copy_extensions', 'copy'];
    await runOk(['openssl', 'x509', '-req', '-in', `${request}`, ...issuer, '-out', `${cert}`]);
    return { ca: this.ca, cert: `${cert}`, key: `${key}` };
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
