import { hasCode, WeaveError } from '../../lib/errors.ts';
import { table } from '../../lib/table.ts';
import type { Verdict } from '../../model/verdict.ts';
import { type CommandContext, command } from '../command.ts';
import { toJson } from '../output.ts';
import { importDoctor } from '../process/daemon.ts';

export const doctor = command({
  name: 'doctor',
  operands: '[A B]',
  about: 'Check this host, or the way from one container or host to another and back',
  examples: [
    ['weavets doctor', 'each check: ok, healed, or what to do; exit code 1 if one failed'],
    ['weavets doctor web1 db1', 'names the first step from web1 to db1, or back, that fails'],
  ],
  async run({ words, json }, context) {
    const [from, to, ...more] = words;
    if (more.length > 0 || (from !== undefined && to === undefined))
      throw new WeaveError('USAGE', 'name both ends of the way, or none');
    const verdicts =
      from === undefined || to === undefined ? await checkup(context) : await walk(context, { from, to });
    const bad = verdicts.filter(({ state }) => state === 'failed');
    const { out } = context;
    if (json) out(toJson<'doctor'>({ healthy: bad.length === 0, checks: verdicts }));
    else table(verdicts.map(({ state, check, text }) => [mark[state], check, text])).forEach(out);
    if (bad.length === 0) return;
    const names = bad.map(({ check }) => check).join(', ');
    throw new WeaveError('UNHEALTHY', `${bad.length} of ${verdicts.length} failed: ${names}`);
  },
});

const mark: Record<Verdict['state'], string> = {
  ok: 'ok',
  healed: 'healed',
  failed: 'FAILED',
  skipped: '-',
};

function walk({ control, doing }: CommandContext, ends: { from: string; to: string }): Promise<Verdict[]> {
  doing(`going from ${ends.from} to ${ends.to} and back`);
  return control.call('walk', ends);
}

/** Without a daemon, what can be checked anyway. */
async function checkup({ control, env, doing }: CommandContext): Promise<Verdict[]> {
  doing('checking this host');
  try {
    return await control.call('doctor', {});
  } catch (error) {
    if (!hasCode(error, 'NOT_RUNNING')) throw error;
    const { checkWithoutDaemon } = await importDoctor();
    return checkWithoutDaemon(env);
  }
}
