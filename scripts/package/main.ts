// Builds what weavets is installed from: `npm run package -- [deb] [tarball] [image] [--arch x64|arm64] [--out DIR]`; without words
// all of it, for both architectures, into packages/.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runOk } from '../../src/lib/exec.ts';
import { debianPackage } from './deb.ts';
import { image } from './image.ts';
import { type Architecture, architectures } from './runtime.ts';
import { stage } from './stage.ts';

const kinds = ['deb', 'tarball', 'image'] as const;
const { values, positionals } = parseArgs({
  options: { arch: { type: 'string' }, out: { type: 'string', default: 'packages' } },
  allowPositionals: true,
});
const wanted = positionals.length > 0 ? positionals : kinds;
const unknown = wanted.find((kind) => !(kinds as readonly string[]).includes(kind));
if (unknown !== undefined) throw new Error(`there is no ${unknown}; there are ${kinds.join(', ')}`);
if (values.arch !== undefined && !(values.arch in architectures))
  throw new Error(`no architecture ${values.arch}`);
const archs = (values.arch ? [values.arch] : Object.keys(architectures)) as Architecture[];
const out = resolve(values.out);
mkdirSync(out, { recursive: true });

const work = mkdtempSync(join(tmpdir(), 'weavets-package-'));
try {
  for (const arch of archs) {
    if (!wanted.includes('deb') && !wanted.includes('image')) break;
    console.error(`package: weavets for ${arch}`);
    const root = join(work, arch);
    await stage(root, arch, join(out, 'downloads'));
    const deb = await debianPackage({ root, arch, out });
    if (wanted.includes('deb')) console.log(deb);
    if (wanted.includes('image')) console.log(await image({ deb, arch, work, out }));
  }
  if (wanted.includes('tarball')) {
    const name = await runOk(['npm', 'pack', '--silent', '--pack-destination', out], { deadline: null });
    console.log(join(out, name.trim().split('\n').at(-1) ?? ''));
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
