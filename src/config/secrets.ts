import { readFileSync } from 'node:fs';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { type LaunchOption, launchOptions } from './launch-options.ts';

/** Variables that hold a secret: of no use to the tools that the daemon runs. */
export const secretVariables: readonly string[] = [
  'ETCDCTL_PASSWORD',
  ...Object.values<LaunchOption>(launchOptions).flatMap(({ secret, env }) => (secret && env ? env : [])),
];

/** Longer than any secret, so naming a log by mistake is an error. */
const longest = 4096;

/**
 * A secret that was given as it is, or by a file that has it on its only line; `-` is standard input.
 * @throws WeaveError USAGE
 */
export function readSecret(
  given: string | null,
  { file, flag }: { file: string | null; flag: string },
): string | null {
  if (!file) return given || null;
  if (given) throw new WeaveError('USAGE', `--${flag} and --${flag}-file are both given; use one of them`);
  const text = readText(file, `--${flag}-file`).replace(/\r?\n$/, '');
  if (text !== '' && text.length <= longest && !/[\r\n\0]/.test(text)) return text;
  throw new WeaveError('USAGE', `--${flag}-file: ${file} must hold one line, and nothing else`);
}

function readText(file: string, what: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new WeaveError('USAGE', `${what}: cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}
