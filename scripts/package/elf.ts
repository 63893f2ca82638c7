import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './runtime.ts';

/** The e_machine field of an ELF file's head. */
const machines: Readonly<Record<Architecture, number>> = { x64: 62, arm64: 183 };

/** Programs and libraries below a folder that do not run on an architecture. */
export function foreignFiles(root: string, arch: Architecture): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => lstatSync(join(root, name)).isFile())
    .filter((name) => {
      const machine = machineOf(join(root, name));
      return machine !== undefined && machine !== machines[arch];
    });
}

/** undefined: it is neither a program nor a library */
function machineOf(path: string): number | undefined {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(20);
    const isElf = readSync(file, head) === head.length && head.toString('latin1', 0, 4) === '\x7fELF';
    return isElf ? head.readUInt16LE(18) : undefined;
  } finally {
    closeSync(file);
  }
}
