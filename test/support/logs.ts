import { cp, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const tests = fileURLToPath(new URL('..', import.meta.url));

/** The end of a log, as an error shows it. */
export async function endOf(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => 'there is none');
  return text.trimEnd().split('\n').slice(-20).join('\n');
}

/**
 * Logs outlive the host, by the file that is tested: those of its last run. By its folder, too: two of one name may run
 * at the same time.
 */
export async function keepLogs(from: string, ...names: string[]): Promise<void> {
  const file = relative(tests, process.argv[1] ?? 'unknown').replaceAll(/^(\.\.\/)+/g, '');
  const kept = join('/var/tmp/weavets-lab/logs', file, ...names);
  await rm(kept, { recursive: true, force: true });
  await cp(from, kept, { recursive: true });
}
