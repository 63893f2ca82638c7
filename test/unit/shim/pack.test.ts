import assert from 'node:assert/strict';
import { cp, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { runOk } from '../../../src/lib/exec.ts';
import { shimModes } from '../../../src/model/shim.ts';
import { repository } from '../../support/host.ts';
import { architectures, BuiltShims, TemporaryFolder } from './built.ts';

test('the package carries the shims of both architectures, as the source builds them', async () => {
  await using shims = await BuiltShims.create();
  await using folder = await TemporaryFolder.create();
  const checkout = join(folder.path, 'checkout');
  await mkdir(checkout);
  // What a clone has, with no dist; npm builds it before it packs.
  for (const name of ['package.json', 'bin', 'scripts', 'src', '.gitignore']) {
    await cp(join(repository, name), join(checkout, name), { recursive: true });
  }
  await symlink(join(repository, 'node_modules'), join(checkout, 'node_modules'));
  await runOk(['npm', 'pack', checkout, '--pack-destination', folder.path], { deadline: null });
  await runOk(['sh', '-c', 'cd "$1" && tar -xzf weavets-*.tgz', 'sh', folder.path]);
  for (const arch of architectures) {
    for (const mode of shimModes) {
      const packed = join(folder.path, 'package/dist/shim', arch, mode, 'w');
      assert.ok((await readFile(packed)).equals(await readFile(shims.file(mode, arch))), packed);
      assert.equal((await stat(packed)).mode & 0o777, 0o755, packed);
    }
  }
});
