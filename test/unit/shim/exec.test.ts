import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { architectures, BuiltShims, TemporaryFolder } from './built.ts';

interface Case {
  what: string;
  /** without it the environment has no PATH */
  path?: string;
  command: string[];
  stdout?: string;
  code?: number;
  stderr?: string;
}

/** What the working directory holds: `first/tool` and so on print where they are. */
async function furnish(cwd: string): Promise<void> {
  const script = (text: string) => `#!/bin/sh\necho ${text} "$@"\n`;
  for (const name of ['first', 'second', 'plain', 'odd', 'folder/tool']) {
    await mkdir(join(cwd, name), { recursive: true });
  }
  await writeFile(join(cwd, 'tool'), script('here'), { mode: 0o755 });
  await writeFile(join(cwd, 'first/tool'), script('first'), { mode: 0o755 });
  await writeFile(join(cwd, 'second/tool'), script('second'), { mode: 0o755 });
  await writeFile(join(cwd, 'plain/tool'), script('plain'), { mode: 0o644 });
  await writeFile(join(cwd, 'odd/tool'), 'neither a script nor a program\n', { mode: 0o755 });
  await writeFile(join(cwd, 'orphan'), '#!/none\n', { mode: 0o755 });
  await symlink('loop', join(cwd, 'loop'));
}

const notFound = (name: string) => `w: exec: "${name}": executable file not found in $PATH\n`;
const because = (name: string, reason: string) => `w: exec: "${name}": ${reason}\n`;

const cases: Case[] = [
  { what: 'no command', command: [], code: 2, stderr: 'usage' },
  { what: 'the first of two', path: 'first:second', command: ['tool', 'a b', ''], stdout: 'first a b \n' },
  { what: 'only the second has it', path: 'odd/none:second', command: ['tool'], stdout: 'second\n' },
  { what: 'a file as entry', path: 'tool:second', command: ['tool'], stdout: 'second\n' },
  { what: 'a link to itself as entry', path: 'loop:second', command: ['tool'], stdout: 'second\n' },
  {
    what: 'an entry of 5,000 bytes',
    path: `${'x'.repeat(5000)}:second`,
    command: ['tool'],
    stdout: 'second\n',
  },
  {
    what: 'an entry with names too long',
    path: `${'x'.repeat(300)}:second`,
    command: ['tool'],
    stdout: 'second\n',
  },
  { what: 'not executable, then executable', path: 'plain:second', command: ['tool'], stdout: 'second\n' },
  { what: 'a folder of that name', path: 'folder:second', command: ['tool'], stdout: 'second\n' },
  { what: 'empty entry first', path: ':second', command: ['tool'], stdout: 'here\n' },
  { what: 'empty entry between', path: 'plain::second', command: ['tool'], stdout: 'here\n' },
  { what: 'empty entry last', path: 'plain:', command: ['tool'], stdout: 'here\n' },
  { what: 'empty PATH', path: '', command: ['tool'], stdout: 'here\n' },
  { what: 'no PATH', command: ['echo', 'found'], stdout: 'found\n' },
  { what: 'no PATH means no working directory', command: ['tool'], code: 127, stderr: notFound('tool') },
  { what: 'a slash makes PATH moot', path: 'first', command: ['./second/tool'], stdout: 'second\n' },
  { what: 'nowhere', path: 'first:second', command: ['foo'], code: 127, stderr: notFound('foo') },
  { what: 'the empty name', path: 'first', command: [''], code: 127, stderr: notFound('') },
  {
    what: 'not executable, then nowhere',
    path: 'plain:odd/none',
    command: ['tool'],
    code: 127,
    stderr: notFound('tool'),
  },
  {
    what: 'a file of no known format is no script',
    path: 'odd:second',
    command: ['tool'],
    code: 255,
    stderr: 'exec odd/tool: exec format error\n',
  },
  {
    what: 'a path to nothing',
    path: 'first',
    command: ['/none/tool'],
    code: 127,
    stderr: because('/none/tool', 'stat /none/tool: no such file or directory'),
  },
  {
    what: 'a path to something not executable',
    path: 'first',
    command: ['plain/tool'],
    code: 126,
    stderr: because('plain/tool', 'permission denied'),
  },
  {
    what: 'a path in circles',
    path: 'first',
    command: ['./loop'],
    code: 128,
    stderr: because('./loop', 'stat ./loop: too many levels of symbolic links'),
  },
  {
    what: 'a path through a file',
    path: 'first',
    command: ['./tool/x'],
    code: 127,
    stderr: because('./tool/x', 'stat ./tool/x: not a directory'),
  },
  {
    what: 'a directory',
    path: 'first',
    command: ['./first'],
    code: 126,
    stderr: because('./first', 'is a directory'),
  },
  {
    what: 'an interpreter that is not there',
    path: 'first',
    command: ['./orphan'],
    code: 255,
    stderr: 'exec ./orphan: no such file or directory\n',
  },
];

for (const arch of architectures) {
  test(`${arch}: the command is found, and failures told, as runc does`, async () => {
    await using shims = await BuiltShims.create();
    await using folder = await TemporaryFolder.create();
    await furnish(folder.path);
    const emulator = arch === 'x64' ? 'qemu-x86_64-static' : 'qemu-aarch64-static';
    const runner = arch === process.arch ? [] : [join('/usr/bin', emulator)];
    for (const { what, path, command, stdout = '', code = 0, stderr = '' } of cases) {
      const [file = '', ...args] = [...runner, shims.file('nowait', arch), ...command];
      const env = path === undefined ? { NOPATH: '1', PATHS: 'first' } : { XPATH: 'second', PATH: path };
      const out = spawnSync(file, args, { cwd: folder.path, env, encoding: 'utf8' });
      assert.deepEqual([out.status, out.stdout], [code, stdout], `${what}: ${out.error ?? out.stderr}`);
      if (what === 'no command') assert.match(out.stderr, /^usage: w COMMAND/, what);
      else assert.equal(out.stderr, stderr, what);
    }
  });
}
