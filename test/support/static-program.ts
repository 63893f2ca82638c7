import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from '../../src/lib/exec.ts';
import type { Host } from './host.ts';

/** Copies a C program, linked statically with musl as Alpine's are, into a container as /NAME. */
export async function copyProgram(
  host: Host,
  container: string,
  { name, source }: { name: string; source: string },
): Promise<void> {
  const program = join(host.dir, name);
  if (!existsSync(program)) {
    await writeFile(`${program}.c`, source);
    await runOk(['musl-gcc', '-static', '-O2', '-o', program, `${program}.c`]);
  }
  await host.docker('cp', program, `${container}:/${name}`);
}
