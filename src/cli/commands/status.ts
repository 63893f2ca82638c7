import { WeaveError } from '../../lib/errors.ts';
import { healthOf } from '../../report/health.ts';
import type { Health, Report } from '../../report/report.ts';
import { screen } from '../../report/screen.ts';
import { overview, topics } from '../../report/status-text.ts';
import { type CommandContext, command } from '../command.ts';
import { toJson } from '../output.ts';
import { didYouMean } from '../suggest.ts';

export const status = command({
  name: 'status',
  operands: '[targets|connections|peers|dns|ipam]',
  about: 'Show what weavets does, what is wrong, and what to do about it',
  examples: [
    ['weavets status', 'on a terminal one screen; into a pipe, the lines that scripts know'],
    ['weavets status dns', 'every name and its address'],
  ],
  async run({ words, json }, context) {
    const [topic, ...more] = words;
    const render = topic === undefined ? overview : Object.hasOwn(topics, topic) && topics[topic];
    if (!render || more.length > 0) {
      throw new WeaveError(
        'USAGE',
        `no status of '${words.join(' ')}'${didYouMean(topic ?? '', Object.keys(topics))}`,
      );
    }
    const { control, out, terminal } = context;
    const report: Report = await control.call('report', {});
    if (topic !== undefined) return json ? out(asJson(topic, report)) : render(report).forEach(out);
    if (json) return out(toJson<'status'>(await look(report, context)));
    if (!terminal.out) return render(report).forEach(out);
    screen(await look(report, context), { ...terminal, now: new Date() }).forEach(out);
  },
});

/** ms; the engine may hang, and that is what a person wants to see */
const patience = 3_000;

async function look(report: Report, { control, env }: CommandContext): Promise<Health> {
  const attached = (await control.call('ps', { containers: [] })).filter(({ id }) => id !== 'weave:expose');
  const why = await control.call('why', {}, { timeoutMs: patience }).catch(() => null);
  const others = why?.filter((each) => !each.attached).map(({ name }) => name) ?? null;
  return healthOf(report, { attached: attached.length, others, dockerHost: env.DOCKER_HOST });
}

function asJson(topic: string, { Router, DNS, IPAM }: Report): string {
  switch (topic) {
    case 'targets':
      return toJson<'status targets'>(Router.Targets ?? []);
    case 'connections':
      return toJson<'status connections'>(Router.Connections ?? []);
    case 'peers':
      return toJson<'status peers'>(Router.Peers);
    case 'dns':
      return toJson<'status dns'>(DNS?.Entries ?? []);
    default:
      return toJson<'status ipam'>(IPAM?.Entries ?? []);
  }
}
