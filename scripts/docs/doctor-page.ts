import { checks } from '../../src/doctor/checks.ts';
import { answer, steps } from '../../src/doctor/walk.ts';
import { verdictStates } from '../../src/model/verdict.ts';

const intro = `# Doctor

\`weavets doctor\` checks this host, and prints a line for each check: \`ok\`, \`healed\` (it was wrong within the last hour, and
has been put right), \`FAILED\` with what to do, or \`-\` where there is nothing to look at. The exit code is 1 if one
failed. Each is found by what it does, not by the name of the program that does it. The same checks run by themselves:
before the daemon starts, every five seconds, or every minute; then what they find is a [condition](conditions.md), which
\`weavets status\`, the log and the metric \`weave_conditions\` have. What is changed on the host to heal something is put
back by \`weavets reset\`. Where no daemon runs, those of launch are all there are.

| check | what is looked at, and how | what is done by itself | code | when |
|---|---|---|---|---|
`;

const whens = { launch: 'before launch', look: 'every 5 s', probe: 'every minute', asked: 'when asked' };

const walking = `
## The way from A to B

\`weavets doctor A B\` walks from one container or host to another, and back, and stops at the first step that fails. One of
both must be on this host; of the other host it knows what that has told all of them. Each step is taken for A, then for B.

| step | what must be so |
|---|---|
`;

const json = `
## For scripts

\`--json\` prints \`{"healthy", "checks": [{"check", "state", "text", "code"}]}\`, after the schema in
[doctor.schema.json](doctor.schema.json). \`code\` is that of a [condition](conditions.md) or an [error](errors.md), or null.
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
