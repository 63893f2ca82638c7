#!/usr/bin/env node
// Bundles src into dist: a file for each way to start, and one for each part that is loaded only when it is needed.
// A command then reads a few files instead of a few hundred, which is most of its time.
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundlePage } from './bundle-page.mjs';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
/** What commands load is bundled; the daemon's packages stay as they are: some have binaries, or read their own files. */
const bundled = ['yargs', 'ipaddr.js'];

for (const folder of ['cli', 'daemon', 'store', 'parts']) {
  rmSync(join(repository, 'dist', folder), { recursive: true, force: true });
}
await build({
  absWorkingDir: repository,
  entryPoints: ['src/cli/main.ts', 'src/daemon/main.ts', 'src/store/salvage.ts'],
  outbase: 'src',
  outdir: 'dist',
  chunkNames: 'parts/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: Object.keys(dependencies).filter((name) => !bundled.includes(name)),
  // Packages in CommonJS ask for Node's own modules by require.
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module';const require = makeRequire(import.meta.url);",
  },
  sourcemap: true,
  logLevel: 'warning',
});
await bundlePage(repository);
