import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Host, repository, weavets } from '../support/host.ts';

const readme = readFileSync(join(repository, 'README.md'), 'utf8');

let host: Host;
before(async () => {
  host = await Host.create();
});
after(() => host[Symbol.asyncDispose]());

const path = `${dirname(weavets)}:${process.env.PATH}`;
const shell = (script: string) => host.shell(script, { env: { PATH: path, DOCKER_HOST: undefined } });

/** What differs from run to run, made the same. */
function shape(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    .replaceAll(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, 'MAC')
    .replaceAll(/^\d+: ethwe@if\d+: <\S+>/gm, 'N: ethwe@ifN: <FLAGS>')
    .replaceAll(/(time=|= )[0-9./]+ ms/g, '$1T ms')
    .replaceAll(/(link\/ether MAC) brd MAC/g, '$1')
    .replaceAll(/ +$/gm, '')
    .trim();
}

test('the transcript of the readme comes out as it is printed there', async () => {
  const block = /```console\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const commands = block
    .split(/^# /m)
    .slice(1)
    .map((part) => part.split(/\n([\s\S]*)/) as [string, string]);
  assert.ok(commands.length >= 8);
  assert.equal((await shell('weavets launch')).code, 0);
  let script = '';
  for (const [i, [command]] of commands.entries()) script += `echo "--${i}--"; ${command}\n`;
  const { code, stdout, stderr } = await shell(script);
  assert.equal(code, 0, stderr);
  const outputs = stdout.split(/^--\d+--$/m).slice(1);
  for (const [i, [command, expected = '']] of commands.entries()) {
    assert.equal(shape(outputs[i] ?? ''), shape(expected), command);
  }
});

test('each line of the command table does what it says', async () => {
  const rows = [...readme.matchAll(/^\| `(weavets [^`]+)` \| (.+) \|$/gm)].map(([, command = '']) => command);
  assert.ok(rows.length >= 14, rows.join());
  // The container that C stands for; stop and reset come last, whatever their place in the table.
  const last = rows.filter((row) => /stop|reset/.test(row));
  for (const row of [...rows.filter((row) => !last.includes(row)), ...last]) {
    if (row === 'weavets launch') continue; // runs since the first test
    const command = row.replace(/ C$/, ' bbox1').replace('NAME', 'bbox2');
    const prefix = row.includes('--restore') ? 'eval $(weavets env); ' : '';
    const { code, stdout, stderr } = await shell(`${prefix}${command}`);
    assert.equal(code, 0, `${command}: ${stdout}${stderr}`);
  }
  assert.equal((await shell('weavets status')).code, 1, 'nothing runs after reset');
});

test('choosing addresses works as shown', async () => {
  assert.equal((await shell('weavets launch')).code, 0);
  const examples = [...readme.matchAll(/^ {4}docker run -e (WEAVE_CIDR=\S+) …/gm)].map(
    ([, setting = '']) => setting,
  );
  assert.equal(examples.length, 3);
  for (const setting of examples) {
    const { code, stdout } = await shell(
      `eval $(weavets env); docker run --rm -e ${setting} busybox ip -4 addr`,
    );
    assert.equal(code, 0);
    const wanted = setting.includes('net:') ? '10.32.9.1/24' : setting.split('=')[1];
    assert.equal(stdout.includes('ethwe'), !setting.endsWith('none'), setting);
    if (!setting.endsWith('none')) assert.ok(stdout.includes(`${wanted} `), stdout);
  }
});
