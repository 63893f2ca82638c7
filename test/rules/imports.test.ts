import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/host.ts';

const source = join(repository, 'src');

/** What each folder may import, beside itself. `types` are for the driver types of a lower part only. */
const allowed: Record<string, { code: string[]; types?: string[] }> = {
  lib: { code: [] },
  model: { code: ['lib'] },
  docker: { code: ['lib', 'model'] },
  store: { code: ['lib', 'model'] },
  config: { code: ['lib', 'model'] },
  net: { code: ['lib', 'model'] },
  report: { code: ['lib', 'model'] },
  ipam: { code: ['lib', 'model', 'store'], types: ['docker', 'net'] },
  dns: { code: ['lib', 'model'], types: ['docker', 'store', 'net'] },
  control: { code: ['lib', 'model', 'report'] },
  proxy: { code: ['lib', 'model'], types: ['docker', 'store', 'net'] },
  http: { code: ['lib', 'model', 'report'] },
  containers: {
    code: [
      'lib',
      'model',
      'docker',
      'store',
      'config',
      'net',
      'report',
      'ipam',
      'dns',
      'control',
      'proxy',
      'http',
    ],
  },
  cluster: {
    code: [
      'lib',
      'model',
      'docker',
      'store',
      'config',
      'net',
      'report',
      'ipam',
      'dns',
      'control',
      'proxy',
      'http',
    ],
  },
  doctor: {
    code: [
      'lib',
      'model',
      'docker',
      'store',
      'config',
      'net',
      'report',
      'ipam',
      'dns',
      'control',
      'proxy',
      'http',
    ],
  },
  daemon: {
    code: [
      'lib',
      'model',
      'docker',
      'store',
      'config',
      'net',
      'report',
      'ipam',
      'dns',
      'control',
      'proxy',
      'http',
      'containers',
      'cluster',
      'doctor',
    ],
  },
  cli: { code: ['lib', 'model', 'config', 'report', 'control'] },
};

interface Import {
  file: string;
  line: string;
  from: string;
  to: string;
  typeOnly: boolean;
}

function importsOf(path: string): Import[] {
  const file = relative(source, path);
  const statement = /^(?:import|export)\s+(type\s)?[^;]*?from\s+'(\.[^']+)'/gm;
  return [...readFileSync(path, 'utf8').matchAll(statement)].map(([line, type, target = '']) => ({
    file,
    line: line.replaceAll(/\s+/g, ' '),
    from: file.split('/')[0] ?? '',
    to: relative(source, resolve(dirname(path), target)).split('/')[0] ?? '',
    typeOnly: type !== undefined,
  }));
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);

test('imports point down', () => {
  const wrong = files
    .flatMap((name) => importsOf(join(source, name)))
    .filter(({ from, to, typeOnly }) => {
      const rule = allowed[from];
      return to !== from && !rule?.code.includes(to) && !(typeOnly && rule?.types?.includes(to));
    })
    .map(({ file, line }) => `${file}: ${line}`);
  assert.deepEqual(wrong, []);
});

test('every folder of src has its rule', () => {
  const folders = new Set(files.map((name) => name.split('/')[0]));
  assert.deepEqual(
    [...folders].filter((folder) => folder !== undefined && !(folder in allowed)),
    [],
  );
});

test('only the spawner starts processes, and none through a shell', () => {
  const spawners = new Set([
    'lib/exec.ts',
    'net/ip.ts',
    'net/inside.ts',
    'cli/process/spawn-daemon.ts',
    'net/overlay/wireguard.ts',
  ]);
  const others = files.filter(
    (name) => readFileSync(join(source, name), 'utf8').includes('node:child_process') && !spawners.has(name),
  );
  assert.deepEqual(others, []);
  for (const name of files)
    assert.doesNotMatch(readFileSync(join(source, name), 'utf8'), /shell: true|execSync|\bexec\(`/, name);
});

test('files stay short enough to read in one go', () => {
  const long = files
    .map((name) => `${name} ${readFileSync(join(source, name), 'utf8').split('\n').length}`)
    .filter((row) => Number(row.split(' ')[1]) > 320);
  assert.deepEqual(long, []);
});

test('nothing of a container’s file system is opened: no way leads through the root of a process', () => {
  for (const name of files) {
    const text = readFileSync(join(source, name), 'utf8');
    // Written together, or put together of parts.
    assert.doesNotMatch(text, /\/proc\/[^\s'"`]*\/(?:root|cwd)\b/, name);
    if (text.includes('/proc/')) assert.doesNotMatch(text, /['"`/](?:root|cwd)['"`/]/, name);
  }
});
