import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { environmentText } from '../../src/cli/service/installed.ts';
import { serviceUnit, socketUnit } from '../../src/cli/service/service-units.ts';
import { runOk } from '../../src/lib/exec.ts';
import { foreignFiles } from './elf.ts';
import { type Architecture, copyRuntime, nodeRuntime } from './runtime.ts';

export const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where the package's files are on the host that it is installed on. */
const home = '/usr/lib/weavets';

/** Lays out all files of the package below `root`, for an architecture. @param downloads folder that keeps them */
export async function stage(root: string, arch: Architecture, downloads: string): Promise<void> {
  const inside = (path: string) => join(root, path);
  const lib = inside(home);
  mkdirSync(lib, { recursive: true });
  await runOk(['node', 'scripts/build-shim.mjs', '--all'], { deadline: null });
  const built = ['cli', 'daemon', 'store', 'parts', 'web', `shim/${arch}`].map((name) => `dist/${name}`);
  for (const name of [
    ...built,
    'docs',
    'README.md',
    'CHANGELOG.md',
    'SECURITY.md',
    'package.json',
    'package-lock.json',
  ]) {
    cpSync(join(repository, name), join(lib, name), { recursive: true });
  }
  // Packages with binaries of this architecture, and none that only builds or tests need.
  const target = ['--omit=dev', '--ignore-scripts', '--os=linux', '--libc=glibc', `--cpu=${arch}`];
  await runOk(['npm', 'ci', '--prefix', lib, '--no-audit', '--no-fund', '--loglevel=error', ...target], {
    deadline: null,
  });
  rmSync(join(lib, 'package-lock.json'));
  rmSync(join(lib, 'node_modules/.package-lock.json'), { force: true });
  // Some name the compiler as a peer that they may have.
  for (const name of ['typescript', '@typescript', '.bin/tsc'])
    rmSync(join(lib, 'node_modules', name), { recursive: true, force: true });
  copyRuntime(await nodeRuntime(arch, downloads), join(lib, 'node'));

  const node = `${home}/node/bin/node`;
  const program = readFileSync(join(repository, 'bin/weavets'), 'utf8').replace(/^#!.*/, `#!${node}`);
  put(join(lib, 'bin/weavets'), program, 0o755);
  mkdirSync(inside('/usr/bin'), { recursive: true });
  symlinkSync('../lib/weavets/bin/weavets', inside('/usr/bin/weavets'));
  put(inside('/etc/default/weavets'), environmentText({}), 0o600);
  const installed = { node, weavets: `${home}/bin/weavets` };
  put(inside('/usr/lib/systemd/system/weavets.socket'), socketUnit(installed));
  put(inside('/usr/lib/systemd/system/weavets.service'), serviceUnit(installed));

  const say = (...words: string[]) => runOk(['node', 'bin/weavets', ...words]);
  put(inside('/usr/share/bash-completion/completions/weavets'), await say('completion', 'bash'));
  put(inside('/usr/share/zsh/vendor-completions/_weavets'), await say('completion', 'zsh'));
  put(inside('/usr/share/fish/vendor_completions.d/weavets.fish'), await say('completion', 'fish'));
  put(inside('/usr/share/man/man1/weavets.1.gz'), gzipSync(await say('help', '--man'), { level: 9 }));
  put(inside('/usr/share/doc/weavets/copyright'), readFileSync(join(repository, 'LICENSE')));
  const foreign = foreignFiles(root, arch);
  if (foreign.length > 0) throw new Error(`not for ${arch}: ${foreign.join(', ')}`);
}

function put(path: string, text: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  // Whatever the umask.
  chmodSync(path, mode);
}
