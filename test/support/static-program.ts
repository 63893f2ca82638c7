import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
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
    // Several may want it at once: it is there as a whole or not at all.
    const building = `${program}-${randomUUID()}`;
    await writeFile(`${building}.c`, source);
    await runOk(['musl-gcc', '-static', '-O2', '-o', building, `${building}.c`]);
    await rename(building, program);
  }
  await host.docker('cp', program, `${container}:/${name}`);
}
