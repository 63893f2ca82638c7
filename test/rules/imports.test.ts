import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/host.ts';

const source = join(repository, 'src');

/** What containers, cluster and doctor may import; none of them imports another. */
const lower = [
  ...['lib', 'model', 'docker', 'store', 'config', 'net', 'report'],
  ...['ipam', 'dns', 'etcd', 'control', 'proxy', 'http'],
];

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
  etcd: { code: ['lib', 'model', 'store'] },
  dns: { code: ['lib', 'model'], types: ['docker', 'store', 'net'] },
  control: { code: ['lib', 'model', 'report'] },
  proxy: { code: ['lib', 'model'], types: ['docker', 'store', 'net'] },
  http: { code: ['lib', 'model', 'report'] },
  containers: { code: lower },
  cluster: { code: lower },
  doctor: { code: lower },
  web: { code: [], types: ['report'] },
  daemon: { code: [...lower, 'containers', 'cluster', 'doctor'] },
  cli: { code: ['lib', 'model', 'config', 'report', 'control'] },
};

interface Import {
  file: string;
  line: string;
  /** the file that is imported */
  imported: string;
  from: string;
  to: string;
  typeOnly: boolean;
}

/** Where the command line runs the daemon in its own process, or its parts when there is none to ask. */
const crossing = 'cli/process/daemon.ts';

function importsOf(path: string): Import[] {
  const file = relative(source, path);
  const text = readFileSync(path, 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'(\.[^']+)'/gm);
  const calls = text.matchAll(/\b(?:(typeof )\s*)?import\(\s*'(\.[^']+)'/g);
  return [...statements, ...calls].map(([line, type, target = '']) => {
    const imported = relative(source, resolve(dirname(path), target));
    return {
      file,
      line: line.replaceAll(/\s+/g, ' '),
      imported,
      from: file.split('/')[0] ?? '',
      to: imported.split('/')[0] ?? '',
      typeOnly: type !== undefined,
    };
  });
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /\.tsx?$/.test(name),
);

test('imports point down', () => {
  const wrong = files
    .flatMap((name) => importsOf(join(source, name)))
    .filter(({ file, from, to, typeOnly }) => {
      if (file === crossing && (to === 'daemon' || to === 'doctor')) return false;
      const rule = allowed[from];
      return to !== from && !rule?.code.includes(to) && !(typeOnly && rule?.types?.includes(to));
    })
    .map(({ file, line }) => `${file}: ${line}`);
  assert.deepEqual(wrong, []);
});

test('imports are literal, so that the compiler and these tests see them all', () => {
  for (const name of files) {
    assert.doesNotMatch(readFileSync(join(source, name), 'utf8'), /\bimport\((?!\s*'[^']+'\s*\))/, name);
  }
});

test('there are no import cycles', () => {
  const graph = new Map(
    files.map((name) => [name, importsOf(join(source, name)).filter(({ typeOnly }) => !typeOnly)]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (name: string, above: readonly string[]) => {
    if (above.includes(name)) cycles.push([...above.slice(above.indexOf(name)), name].join(' -> '));
    if (above.includes(name) || done.has(name)) return;
    for (const { imported } of graph.get(name) ?? []) walk(imported, [...above, name]);
    done.add(name);
  };
  for (const name of files) walk(name, []);
  assert.deepEqual(cycles, []);
});

test('every folder of src has a rule', () => {
  const folders = new Set(files.map((name) => name.split('/')[0]));
  assert.deepEqual(
    [...folders].filter((folder) => folder !== undefined && !(folder in allowed)),
    [],
  );
});

test('only the spawner starts processes, never through a shell', () => {
  const spawners = new Set([
    'lib/exec.ts',
    'net/ip.ts',
    'net/netns-worker.ts',
    'cli/process/spawn-daemon.ts',
    'net/overlay/wireguard-go.ts',
    'etcd/member-process.ts',
    'net/overlay/probe-link.ts',
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

test("a container’s file system is never opened: no path leads through a process's root", () => {
  for (const name of files) {
    const text = readFileSync(join(source, name), 'utf8');
    // Written together, or put together of parts.
    assert.doesNotMatch(text, /\/proc\/[^\s'"`]*\/(?:root|cwd)\b/, name);
    if (text.includes('/proc/')) assert.doesNotMatch(text, /['"`/](?:root|cwd)['"`/]/, name);
  }
});
