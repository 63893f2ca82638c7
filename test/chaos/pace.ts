import { runOk } from '../../src/lib/exec.ts';

/** Small programs one after the other, as a daemon's and an engine's work is; nothing of ours takes part in it. */
const work = 'for ((i = 0; i < 100; i++)); do /bin/true; done';
/** s that it takes on two idle cores */
const idle = 0.12;

/** Does some work. @returns how many times longer than on an idle machine it took, at least 1 */
export async function slowness(): Promise<number> {
  const began = performance.now();
  await runOk(['bash', '-c', work], { deadline: null });
  return Math.max(1, (performance.now() - began) / 1000 / idle);
}
