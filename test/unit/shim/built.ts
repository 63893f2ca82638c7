import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ShimMode } from '../../../src/model/shim.ts';
import { repository } from '../../support/host.ts';

/** Names of the package's folders, and of `process.arch`. */
export const architectures = ['x64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** A folder that goes with the test. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<TemporaryFolder> {
    const path = await mkdtemp(join(tmpdir(), 'weavets-shim-'));
    await chmod(path, 0o755); // other users run what is in it
    return new TemporaryFolder(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true });
  }
}

/** Runs the build script of a checkout, by default this one. */
export function buildShim(args: string[], options: { checkout?: string; path?: string } = {}) {
  const script = join(options.checkout ?? repository, 'scripts/build-shim.mjs');
  const env = { ...process.env, PATH: options.path ?? process.env.PATH };
  return spawnSync(process.execPath, [script, ...args], { env, encoding: 'utf8' });
}

/** The shims of both architectures, built for one test file. */
export class BuiltShims implements AsyncDisposable {
  readonly #folder: TemporaryFolder;

  private constructor(folder: TemporaryFolder) {
    this.#folder = folder;
  }

  static async create(): Promise<BuiltShims> {
    const folder = await TemporaryFolder.create();
    const built = buildShim(['--all', '--out', folder.path]);
    if (built.status !== 0 || built.stderr !== '') {
      await folder[Symbol.asyncDispose]();
      throw new Error(`build-shim said: ${built.stderr}`);
    }
    return new BuiltShims(folder);
  }

  /** The folder to bind at /w. */
  folder(mode: ShimMode, arch: string = process.arch): string {
    return join(this.#folder.path, arch, mode);
  }

  file(mode: ShimMode, arch: string = process.arch): string {
    return join(this.folder(mode, arch), 'w');
  }

  /** The daemon's own program. */
  get netnsWorker(): string {
    return join(this.#folder.path, process.arch, 'netns-worker');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#folder[Symbol.asyncDispose]();
  }
}
