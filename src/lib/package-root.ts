import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of package.json, above this file, be that in src or in one that the bundler made. */
export const packageRoot = findRoot(import.meta.dirname);

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder));
}
