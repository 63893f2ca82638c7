import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commands } from '../../../src/cli/commands.ts';
import { completions } from '../../../src/cli/completion/model.ts';

test('flags that take a file are completed by files', () => {
  const launch = completions(commands).find(({ name }) => name === 'launch');
  const files = launch?.flags.filter(({ value }) => value === 'file').flatMap(({ spellings }) => spellings);
  const expected = ['tlscacert', 'tlscert', 'tlskey', 'etcd-cacert', 'etcd-cert', 'etcd-key'];
  for (const name of expected) assert.ok(files?.includes(`--${name}`), name);
});
