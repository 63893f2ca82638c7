import { checks } from '../../src/doctor/checks.ts';
import { answer, steps } from '../../src/doctor/walk.ts';
import { verdictStates } from '../../src/model/verdict.ts';

const intro = `# Doctor

\`weavets doctor\` checks this host, and prints a line for each check: \`ok\`, \`healed\` (it was wrong within the last hour,
and has been repaired), \`FAILED\` with what to do, or \`-\` if there is nothing to check. The exit code is 1 if one failed.
Checks look at effects, not at which program causes them. They also run by themselves: before the daemon starts, every
five seconds, or every minute. What they find is then a [condition](conditions.md), shown by \`weavets status\`, the log and
the metric \`weave_conditions\`. The [page](page.md) shows what each found last; while it is open, the others run once a
minute too. Whatever was changed on the host as a repair, \`weavets reset\` restores. Without a daemon, only the checks of
launch run.

| check | what must be true, and how it is checked | what is repaired | code | when |
|---|---|---|---|---|
`;

const whens = { launch: 'before launch', look: 'every 5 s', probe: 'every minute', asked: 'when asked' };

const walking = `
## The way from A to B

\`weavets doctor A B\` walks from one container or host to the other and back, and stops at the first step that fails. One
of them must be on this host; about another host it knows only what that publishes. Each step is taken for A, then for B.

| step | what must be true |
|---|---|
`;

const json = `
## For scripts

\`--json\` prints \`{"healthy", "checks": [{"check", "state", "text", "code"}]}\`; the schema is
[doctor.schema.json](doctor.schema.json). \`code\` is a [condition](conditions.md), an [error](errors.md), or null.
`;

/** docs/doctor.md */
export function doctorPage(): string {
  const rows = checks.map(({ name, about, heals, code, when }) => {
    return `| ${[name, about, heals ?? '', code, when === 'look' && name === 'range' ? `before launch, ${whens.look}` : whens[when]].join(' | ')} |\n`;
  });
  const way = [...steps, answer].map(({ name, about }) => `| ${name} | ${about} |\n`);
  return [intro, ...rows, walking, ...way, json].join('');
}

/** docs/doctor.schema.json */
export function doctorSchema(): string {
  const text = { type: 'string' };
  const verdict = {
    type: 'object',
    required: ['check', 'state', 'text', 'code'],
    properties: { check: text, state: { enum: verdictStates }, text, code: { type: ['string', 'null'] } },
  };
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'weavets doctor --json',
    type: 'object',
    required: ['healthy', 'checks'],
    properties: { healthy: { type: 'boolean' }, checks: { type: 'array', items: verdict } },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
