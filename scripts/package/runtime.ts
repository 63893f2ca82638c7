import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runOk } from '../../src/lib/exec.ts';

/** Architectures that packages are built for, by Node's names, with Debian's. */
export const architectures = { x64: 'amd64', arm64: 'arm64' } as const;
export type Architecture = keyof typeof architectures;

/** The Node.js that packages bring along, as Debian 12's is too old; from the npm registry, by its checksum. */
const version = '24.21.0';
const integrity: Readonly<Record<Architecture, string>> = {
  x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
};

/**
 * Fetches Node.js for an architecture, once. @param cache folder that keeps the downloads
 * @returns the folder of the package, with `bin/node` and its licence
 */
export async function nodeRuntime(arch: Architecture, cache: string): Promise<string> {
  const name = `node-linux-${arch}`;
  const folder = join(cache, `${name}-${version}`);
  const archive = `${folder}.tgz`;
  mkdirSync(cache, { recursive: true });
  if (digestOf(archive) !== integrity[arch]) {
    await runOk(['npm', 'pack', '--silent', '--pack-destination', cache, `${name}@${version}`], {
      deadline: null,
    });
    if (digestOf(archive) !== integrity[arch]) {
      rmSync(archive);
      throw new Error(`${name}@${version} is not the file whose checksum is known`);
    }
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  await runOk(['tar', '-xzf', archive, '-C', folder, '--strip-components=1'], { deadline: null });
  return folder;
}

/** Copies what runs of it, and the licence that goes along. */
export function copyRuntime(from: string, to: string): void {
  mkdirSync(join(to, 'bin'), { recursive: true });
  copyFileSync(join(from, 'bin/node'), join(to, 'bin/node'));
  copyFileSync(join(from, 'LICENSE'), join(to, 'LICENSE'));
}

function digestOf(file: string): string | undefined {
  try {
    return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  } catch {
    return undefined;
  }
}
