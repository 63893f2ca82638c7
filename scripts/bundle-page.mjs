// Bundles src/web into dist/web: the page, each file beside its compressed form.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** @param {string} repository */
export async function bundlePage(repository) {
  const source = join(repository, 'src/web');
  const out = join(repository, 'dist/web');
  rmSync(out, { recursive: true, force: true });
  await build({
    absWorkingDir: source,
    entryPoints: ['main.tsx', 'main.css', 'index.html', 'icon.svg'],
    outdir: out,
    loader: { '.html': 'copy', '.svg': 'copy' },
    tsconfig: 'tsconfig.json',
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'warning',
  });
  for (const name of readdirSync(out)) {
    writeFileSync(join(out, `${name}.gz`), gzipSync(readFileSync(join(out, name)), { level: 9 }));
  }
}
