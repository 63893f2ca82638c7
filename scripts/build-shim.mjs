#!/usr/bin/env node
// Builds src/shim/w.c into <out>/<x64|arm64>/<mode>/w, and src/net/netns-worker.c beside those into netns-worker.
// Node's own modules only: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const shim = 'src/shim/w.c';
/** Each program by its path in <out>/<arch>: its source, and what is defined for it. */
const programs = {
  'multicast/w': [shim, '-DMODE=MULTICAST'],
  'wait/w': [shim, '-DMODE=WAIT'],
  'nowait/w': [shim, '-DMODE=NOWAIT'],
  'netns-worker': ['src/net/netns-worker.c'],
};
/** By Node's name of an architecture: the GNU name of its compilers, and Debian's package of the cross compiler. */
const architectures = {
  x64: { gnu: 'x86_64-linux-gnu', package: 'gcc-x86-64-linux-gnu' },
  arm64: { gnu: 'aarch64-linux-gnu', package: 'gcc-aarch64-linux-gnu' },
};

/**
 * No libc, no start files, one read-only segment. What would put the compiler's name, a build id or a distribution's
 * hardening notes into the file is off, so that the same compiler gives the same bytes everywhere.
 */
const flags = [
  ...['-std=gnu11', '-Os', '-Wall', '-Wextra', '-Wno-unused-function'],
  ...['-ffreestanding', '-nostdlib', '-static', '-no-pie', '-fno-pie', '-fno-strict-aliasing'],
  ...['-fno-stack-protector', '-fno-stack-clash-protection', '-U_FORTIFY_SOURCE'],
  ...['-fno-asynchronous-unwind-tables', '-fno-unwind-tables', '-fno-ident', '-s'],
  '-Wl,--build-id=none,-z,noexecstack,-z,norelro,-z,noseparate-code',
];
const archFlags = { x64: ['-fcf-protection=none'], arm64: ['-mbranch-protection=none'] };

function fail(message) {
  console.error(`build-shim: ${message}`);
  process.exit(1);
}

/** The first compiler on this machine that makes executables for `arch`. All of one gcc give the same bytes. */
function compilerFor(arch) {
  const { gnu } = architectures[arch];
  const candidates = arch === process.arch ? ['musl-gcc', 'cc', 'gcc', `${gnu}-gcc`] : [`${gnu}-gcc`];
  return candidates.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

function build(compiler, arch, out) {
  for (const [name, [source, ...defined]] of Object.entries(programs)) {
    const file = join(out, arch, name);
    mkdirSync(dirname(file), { recursive: true });
    // Beside it and then renamed: a running shim can't be written to, and nobody meets half of one.
    const unfinished = `${file}.${process.pid}`;
    const args = [...flags, ...archFlags[arch], ...defined, join(repository, source), '-o', unfinished];
    const { status, error } = spawnSync(compiler, args, { stdio: 'inherit' });
    if (status !== 0) fail(`${compiler} could not build ${file}${error ? `: ${error.message}` : ''}`);
    chmodSync(unfinished, 0o755);
    renameSync(unfinished, file);
  }
  console.log(`build-shim: ${join(out, arch)} by ${compiler}`);
}

const { values: options } = parseArgs({
  options: { all: { type: 'boolean', default: false }, out: { type: 'string' } },
});
const out = options.out ?? join(repository, 'dist/shim');
if (!options.all && !(process.arch in architectures)) {
  fail(
    `the shim is written for ${Object.keys(architectures).join(' and ')}, this machine is ${process.arch}`,
  );
}
for (const arch of options.all ? Object.keys(architectures) : [process.arch]) {
  const compiler = compilerFor(arch);
  if (compiler !== undefined) {
    build(compiler, arch, out);
  } else if (options.all) {
    // A package must not carry a shim older than its source.
    const name = arch === process.arch ? 'gcc' : architectures[arch].package;
    fail(`no C compiler for ${arch}; install one (Debian: apt-get install ${name})`);
  } else if (Object.keys(programs).every((name) => existsSync(join(out, arch, name)))) {
    console.log(`build-shim: no C compiler here; ${join(out, arch)} stays as it came with the package`);
  } else {
    fail('no C compiler; install one (Debian: apt-get install gcc, Alpine: apk add gcc)');
  }
}
