import { cp, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** The end of a log, as an error shows it. */
export async function endOf(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => 'there is none');
  return text.trimEnd().split('\n').slice(-20).join('\n');
}

/** Logs outlive the host, by the name of the file that is tested: those of its last run. */
export async function keepLogs(from: string, ...names: string[]): Promise<void> {
  const kept = join('/var/tmp/weavets-lab/logs', basename(process.argv[1] ?? 'unknown'), ...names);
  await rm(kept, { recursive: true, force: true });
  await cp(from, kept, { recursive: true });
}
