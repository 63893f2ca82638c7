import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runOk } from '../../src/lib/exec.ts';

const here = dirname(fileURLToPath(import.meta.url));
const builder = join(dirname(dirname(here)), 'scripts/debian-root.sh');

/** A Debian whose engine and clients are newer: API 1.45 in trixie, 1.51 or later in sid; or whose engine is Podman. */
export type Suite = 'trixie' | 'sid' | 'sid-podman';

/** argv that, on a host, runs `argv` with the programs of another Debian; builds that first if it is not there yet. */
export async function inSuite(suite: Suite, argv: readonly string[]): Promise<string[]> {
  const root = (await runOk(['sh', builder, suite], { deadline: null })).trim();
  const script = join(here, 'debian-root.sh');
  return ['unshare', '--mount', '--propagation', 'private', 'sh', script, root, ...argv];
}
