import assert from 'node:assert/strict';
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { createLogger } from '../../../src/lib/log.ts';
import { isJournal, LogFile } from '../../../src/lib/log-file.ts';
import { Conditions } from '../../../src/model/conditions.ts';
import { until } from '../../support/host.ts';

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'weavets-'));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

const messages = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).msg);

test('a full disk loses lines and nothing else; the log tells how many once there is room', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'log');
  // A file on a disk that is full.
  await symlink('/dev/full', path);
  const file = new LogFile({ to: path });
  t.after(() => file.close());
  const logger = createLogger('info', file);
  const conditions = new Conditions({ logger });
  file.watch((problem) => conditions.update('LOG_LOST', problem));
  for (let number = 0; number < 10; number++) logger.info(`line ${number}`);
  // The tenth told of the condition, which was a line as well.
  assert.match(conditions.list()[0]?.text ?? '', /^cannot write the log to .*log \(ENOSPC\)/);
  await unlink(path);
  file.reopen();
  logger.info('there is room');
  assert.deepEqual(conditions.list(), []);
  const [lost, ...rest] = messages(await readFile(path, 'utf8'));
  assert.match(lost, /^11 lines of the log were lost: cannot write the log/);
  assert.equal(rest.length, 2);
  assert.ok(rest.includes('there is room'));
  assert.match(rest.join(), /no longer: cannot write the log/);
});

test('retries even without a line to write', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'missing', 'log');
  const file = new LogFile({ to: path, retryAfter: 5 });
  t.after(() => file.close());
  const told: (string | undefined)[] = [];
  file.watch((problem) => told.push(problem));
  file.write('{"msg":"a"}\n');
  assert.match(told[0] ?? '', /ENOENT/);
  await mkdir(join(dir, 'missing'));
  await until('it could be written', () => told.at(-1) === undefined);
  assert.match(await readFile(path, 'utf8'), /1 lines of the log were lost/);
});

test('the log is rotated when full, and old ones are kept up to the limit', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'log');
  const file = new LogFile({ to: path, maxBytes: 100, keep: 2 });
  t.after(() => file.close());
  for (let number = 0; number < 50; number++) file.write(`${number}`.padEnd(24, '.').concat('\n'));
  assert.deepEqual((await readdir(dir)).sort(), ['log', 'log.1', 'log.2']);
  assert.match(await readFile(path, 'utf8'), /^48\.+\n49\.+\n$/);
  assert.match(await readFile(`${path}.1`, 'utf8'), /^44\.+\n45\.+\n46\.+\n47\.+\n$/);
  assert.match(await readFile(`${path}.2`, 'utf8'), /^40\.+\n/);
});

test('an existing log is continued, and its size counts', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'log');
  await writeFile(path, `${'x'.repeat(99)}\n`);
  const file = new LogFile({ to: path, maxBytes: 104, keep: 2 });
  t.after(() => file.close());
  file.write('more\n');
  file.write('new\n');
  assert.match(await readFile(`${path}.1`, 'utf8'), /^x+\nmore\n$/);
  assert.equal(await readFile(path, 'utf8'), 'new\n');
});

test('reopens the log on request, after another program has moved it', async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'log');
  const file = new LogFile({ to: path });
  t.after(() => file.close());
  file.write('before\n');
  await rename(path, `${path}.old`);
  file.write('still there\n');
  file.reopen();
  file.write('after\n');
  assert.equal(await readFile(`${path}.old`, 'utf8'), 'before\nstill there\n');
  assert.equal(await readFile(path, 'utf8'), 'after\n');
});

test('a dead descriptor does not end the process', () => {
  const file = new LogFile({ to: 987_654 });
  file.write('x\n');
  assert.match(file.problem ?? '', /standard error \(EBADF\)/);
  file.close();
});

test("in systemd's journal each line has its priority", async (t) => {
  const dir = await folder(t);
  const path = join(dir, 'log');
  const file = new LogFile({ to: path, priorities: true });
  t.after(() => file.close());
  const logger = createLogger('debug', file);
  logger.debug('a');
  logger.info('b');
  logger.warn('c');
  logger.error('d');
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.slice(0, 4)),
    ['<7>{', '<6>{', '<4>{', '<3>{'],
  );
});

test('standard error is the journal only if systemd says so of this very stream', async (t) => {
  const dir = await folder(t);
  const file = await open(join(dir, 'stream'), 'w');
  t.after(() => file.close());
  const { dev, ino } = await file.stat({ bigint: true });
  assert.equal(isJournal(file.fd, { JOURNAL_STREAM: `${dev}:${ino}` }), true);
  assert.equal(isJournal(file.fd, { JOURNAL_STREAM: `${dev}:${ino + 1n}` }), false);
  assert.equal(isJournal(file.fd, {}), false);
});
