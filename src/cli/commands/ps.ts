import { flag } from '../../config/option.ts';
import type { PsEntry } from '../../control/contract.ts';
import type { PsRow } from '../../control/outputs.ts';
import { WeaveError } from '../../lib/errors.ts';
import { table } from '../../lib/table.ts';
import { rowsOf } from '../../report/ps-rows.ts';
import { type CommandContext, command } from '../command.ts';
import { warnOfConditions } from '../conditions.ts';
import { toJson } from '../output.ts';
import { watch } from '../watch.ts';

export const ps = command({
  name: 'ps',
  operands: '[CONTAINER…]',
  about: 'List the attached containers: id, MAC, addresses',
  options: {
    all: flag('List those of all hosts, by name'),
    why: flag('List every running container, and why it is attached or not'),
    watch: flag('Go on, and show each change, until Ctrl-C'),
  },
  examples: [
    ['weavets ps bbox1', 'bbox1 c2:5b:…:0e 10.32.0.1/12'],
    ['weavets ps --all --watch', 'the containers of all hosts, as they come and go'],
    ['weavets ps --why', 'tells why a container has no address'],
  ],
  async run({ words, all, why, watch: stay, json }, context) {
    if (words.length > 0 && (all || why))
      throw new WeaveError('USAGE', `--${all ? 'all' : 'why'} lists every container; don't name any`);
    if (all && why) throw new WeaveError('USAGE', 'choose --all or --why');
    const lines = () => {
      if (why) return listReasons(context, json);
      if (all) return listAll(context, json);
      return list(words, context, { json, watched: stay });
    };
    if (stay) return watch(lines, context);
    if (why) await warnOfConditions(context);
    (await lines()).forEach(context.out);
  },
});

/** Scripts look for the container as they named it; people, on a terminal, for its name. */
async function list(
  words: readonly string[],
  { control, terminal }: CommandContext,
  { json, watched }: { json: boolean | undefined; watched: boolean | undefined },
): Promise<string[]> {
  const entries: PsEntry[] = await control.call('ps', { containers: [...words] });
  if (json) return [toJson<'ps'>(entries)];
  if (!terminal.out && !watched)
    return entries.map(({ asked, id, mac, cidrs }) => [asked ?? shortId(id), mac, ...cidrs].join(' '));
  const rows = entries.map(({ id, name, mac, cidrs }) => [name, cidrs.join(' '), shortId(id), mac]);
  return table([['NAME', 'ADDRESSES', 'CONTAINER', 'MAC'], ...rows]);
}

async function listAll({ control }: CommandContext, json: boolean | undefined): Promise<string[]> {
  const entries = await control.call('ps', { containers: [] });
  const rows: PsRow[] = rowsOf(entries, await control.call('report', {}));
  if (json) return [toJson<'ps --all'>(rows)];
  const cells = rows.map(({ name, host, addresses, id }) => [name, host, addresses.join(' '), shortId(id)]);
  return table([['NAME', 'HOST', 'ADDRESSES', 'CONTAINER'], ...cells]);
}

async function listReasons({ control }: CommandContext, json: boolean | undefined): Promise<string[]> {
  const entries = await control.call('why', {});
  if (json) return [toJson<'ps --why'>(entries)];
  return table(
    entries.map((entry) => [
      shortId(entry.id),
      entry.name,
      entry.attached ? 'attached' : 'not attached',
      [entry.reason, ...entry.warnings].join('; '),
    ]),
  );
}

/** Twelve digits of a container's id, as docker shows it; `weave:expose` is as long. */
function shortId(id: string): string {
  return id.slice(0, 12);
}
