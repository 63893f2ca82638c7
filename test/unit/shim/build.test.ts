import assert from 'node:assert/strict';
import { chmod, cp, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { shimModes } from '../../../src/model/shim.ts';
import { repository } from '../../support/host.ts';
import { type Architecture, architectures, BuiltShims, buildShim, TemporaryFolder } from './built.ts';

/** The fields of ELF64 that matter here; all little-endian. */
function parseElf(file: Buffer) {
  assert.equal(file.subarray(0, 6).toString('latin1'), '\x7fELF\x02\x01');
  const offset = Number(file.readBigUInt64LE(32));
  const size = file.readUInt16LE(54);
  const segments = Array.from({ length: file.readUInt16LE(56) }, (_, i) => ({
    type: file.readUInt32LE(offset + i * size),
    flags: file.readUInt32LE(offset + i * size + 4),
  }));
  return { type: file.readUInt16LE(16), machine: file.readUInt16LE(18), segments };
}

const machines: Record<Architecture, number> = { x64: 62, arm64: 183 };
const [loaded, gnuStack] = [1, 0x6474e551];
const [executable, writable, readable] = [1, 2, 4];

/** Links to the tools named, the only ones that a build with this as PATH can find. */
async function pathOf(folder: string, tools: string[]): Promise<string> {
  await mkdir(folder);
  for (const tool of tools) await symlink(join('/usr/bin', tool), join(folder, tool));
  return folder;
}

test('each shim is a small static executable without interpreter, writable data or executable stack', async () => {
  await using shims = await BuiltShims.create();
  for (const arch of architectures) {
    for (const mode of shimModes) {
      const file = shims.file(mode, arch);
      const elf = parseElf(await readFile(file));
      assert.deepEqual(
        elf,
        {
          type: 2, // ET_EXEC
          machine: machines[arch],
          segments: [
            { type: loaded, flags: readable | executable },
            { type: gnuStack, flags: readable | writable },
          ],
        },
        file,
      );
      const { size, mode: permissions } = await stat(file);
      assert.ok(size < 6 * 1024, `${file}: ${size} bytes`);
      assert.equal(permissions & 0o7777, 0o755);
    }
  }
});

test("the bytes depend neither on the folder nor on the compiler's wrapper", async () => {
  await using shims = await BuiltShims.create();
  await using folder = await TemporaryFolder.create();
  const checkout = join(folder.path, 'another checkout');
  for (const source of ['src/shim', 'src/net/netns-worker.c'])
    await cp(join(repository, source), join(checkout, source), { recursive: true });
  await cp(join(repository, 'scripts/build-shim.mjs'), join(checkout, 'scripts/build-shim.mjs'));
  const gnu = process.arch === 'x64' ? 'x86_64-linux-gnu' : 'aarch64-linux-gnu';
  const wrappers = { cc: ['cc'], gcc: ['gcc'], 'musl-gcc': ['musl-gcc', `${gnu}-gcc`, 'sh'] };
  for (const [name, tools] of Object.entries(wrappers)) {
    const path = await pathOf(join(folder.path, name), [...tools, 'as', 'ld']);
    const built = buildShim([], { checkout, path });
    assert.equal(built.stderr, '');
    assert.match(built.stdout, new RegExp(` by ${name}\n`));
    for (const mode of shimModes) {
      const bytes = await readFile(join(checkout, 'dist/shim', process.arch, mode, 'w'));
      assert.ok(bytes.equals(await readFile(shims.file(mode))), `${mode} by ${name}`);
    }
  }
});

test('without a compiler the prebuilt shims stay; without those, the error says what to install', async () => {
  await using folder = await TemporaryFolder.create();
  const path = await pathOf(join(folder.path, 'empty'), []);
  const out = join(folder.path, 'out');
  const missing = buildShim(['--out', out], { path });
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /no C compiler.*apt-get install gcc/);

  for (const mode of shimModes) {
    const file = join(out, process.arch, mode, 'w');
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, `prebuilt ${mode}`);
    await chmod(file, 0o755);
  }
  await writeFile(join(out, process.arch, 'netns-worker'), 'prebuilt', { mode: 0o755 });
  const kept = buildShim(['--out', out], { path });
  assert.equal(kept.status, 0, kept.stderr);
  assert.match(kept.stdout, /no C compiler here; .* stays as it came with the package/);
  assert.equal(await readFile(join(out, process.arch, 'wait/w'), 'utf8'), 'prebuilt wait');

  // Not good enough for a package: the shim would be older than its source.
  const native = await pathOf(join(folder.path, 'native'), ['cc', 'as', 'ld']);
  const all = buildShim(['--all', '--out', out], { path: native });
  assert.equal(all.status, 1);
  assert.match(all.stderr, /no C compiler for (arm64|x64); .*apt-get install gcc-(aarch64|x86-64)-linux-gnu/);
});
