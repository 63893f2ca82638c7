import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commands } from '../../src/cli/commands.ts';
import { spellings } from '../../src/cli/spellings.ts';
import { repository } from '../support/host.ts';

/** Tests on real engines and networks; an option that only the parser has seen is not tested. */
const texts = ['docker', 'host', 'netns', 'cluster'].flatMap((folder) => {
  const path = join(repository, 'test', folder);
  return readdirSync(path).map((name) => readFileSync(join(path, name), 'utf8'));
});

test('every command is run by a test on a real host', () => {
  const unused = commands
    .map(({ name }) => name)
    .filter((name) => !texts.some((text) => new RegExp(`'${name}'|weavets[ }]+${name}\\b`).test(text)));
  assert.deepEqual(unused, []);
});

test('every option is used by a test on a real host', () => {
  const unused = commands.flatMap((command) =>
    Object.entries(command.options ?? {}).flatMap(([name, option]) => {
      const spelled = spellings(name, option).join('|');
      // As given to the command: not another command's flag of the same name, if that can be told.
      const used = new RegExp(`(^|['"\`\\s])(${spelled})(=|['"\`\\s]|$)`, 'm');
      const near = texts.filter((text) => text.includes(command.name));
      return near.some((text) => used.test(text)) ? [] : `${command.name} ${spelled}`;
    }),
  );
  assert.deepEqual(unused, []);
});
