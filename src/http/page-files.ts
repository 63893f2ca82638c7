import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../lib/package-root.ts';
import type { Answer } from './router.ts';

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Nothing but this page's own files; no script, no style, no frame of anybody else, and none inside a document. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const headers = {
  'Content-Security-Policy': policy,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  Vary: 'Accept-Encoding',
};

/** The page's files as the build made them, each beside its compressed form; read once. */
export class PageFiles {
  readonly #folder: string;
  #files: Map<string, Buffer> | undefined;

  constructor(folder = join(packageRoot, 'dist/web')) {
    this.#folder = folder;
  }

  /** @param accepted Accept-Encoding @returns undefined: there is no such file */
  answer(name: string, accepted = ''): Answer | undefined {
    this.#files ??= this.#read();
    const type = types[name.split('.').at(-1) ?? ''];
    const plain = this.#files.get(name);
    if (type === undefined || plain === undefined) return undefined;
    const packed = /\bgzip\b/.test(accepted) ? this.#files.get(`${name}.gz`) : undefined;
    if (packed === undefined) return { text: plain, type, headers };
    return { text: packed, type, headers: { ...headers, 'Content-Encoding': 'gzip' } };
  }

  #read(): Map<string, Buffer> {
    const names = readdirSync(this.#folder);
    return new Map(names.map((name) => [name, readFileSync(join(this.#folder, name))]));
  }
}
