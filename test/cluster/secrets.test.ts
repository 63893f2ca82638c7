import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Etcd } from '../support/etcd.ts';
import { Host, Underlay, weavets } from '../support/host.ts';
import { etcdOn, storeOf } from './lab.ts';

const password = 'correct horse';
const login = 'weavets:pass:word';
const secrets = /pass:word|correct horse/;
const file = '/etc/weave-secret';

/** argv that writes its input into a file of root's own. */
const write = (path: string) => ['sh', '-c', 'umask 077; cat > "$0"', path];

let underlay: Underlay;
let host: Host;
let etcd: Etcd;

before(async () => {
  underlay = await Underlay.create();
  host = await Host.create({ underlay });
  etcd = await etcdOn(underlay, { tls: true });
  await etcd.enableUsers('pass:word');
  await host.runOk(write(file), { input: `${password}\n` });
  await host.runOk(write(`${file}-user`), { input: `${login}\n` });
});
after(async () => {
  await etcd?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

/** What other users of the host, and readers of logs and reports, can see. */
async function shown(): Promise<string> {
  const all = await Promise.all([
    host.runOk(['ps', 'axeww']),
    host.runOk(['cat', '/var/log/weavets.log']),
    host.runOk([weavets, 'report']),
    host.runOk([weavets, 'status']),
    host.runOk([weavets, 'config']),
    host.runOk(['curl', '-s', '127.0.0.1:6782/report']),
    host.runOk(['curl', '-s', '127.0.0.1:6782/metrics']),
    host.shell('cat /proc/[0-9]*/environ | tr "\\0" "\\n"').then(({ stdout }) => stdout),
  ]);
  return all.join('\n');
}

const tls = () => {
  const { ca, cert, key } = etcd.files;
  return ['--store', storeOf(etcd), '--etcd-cacert', ca, '--etcd-cert', cert, '--etcd-key', key];
};
const launch = (flags: string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}) =>
  host.run([weavets, 'launch', '--log-level', 'debug', ...tls(), ...flags], options);

for (const [from, flags, options] of [
  ['files', ['--password-file', file, '--etcd-user-file', `${file}-user`], {}],
  [
    'standard input',
    ['--password-file', '-', '--etcd-user-file', `${file}-user`],
    { input: `${password}\n` },
  ],
  ['the environment', [], { env: { WEAVE_PASSWORD: password, ETCDCTL_USER: login } }],
  [
    'files that the environment names',
    [],
    { env: { WEAVE_PASSWORD_FILE: file, WEAVE_ETCD_USER_FILE: `${file}-user` } },
  ],
] as const) {
  test(`secrets from ${from} hold, and nobody gets to see them`, async () => {
    const { code, stderr } = await launch([...flags], options);
    assert.deepEqual([code, stderr], [0, ''], from);
    assert.match(await host.runOk([weavets, 'status']), /Encryption: enabled/);
    assert.doesNotMatch(await shown(), secrets);
    assert.equal((await host.weavets('stop')).code, 0);
  });
}

test('a password on the command line is taken, and the list of processes is pointed at', async () => {
  const { code, stderr } = await launch(['--password', password, '--etcd-user-file', `${file}-user`]);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /other users of this host may have seen --password in the process list; use --password-file/,
  );
  assert.doesNotMatch(await shown(), secrets);
  assert.equal((await host.weavets('stop')).code, 0);
});

test('a file that is missing, empty, or no secret is named, without its text', async () => {
  await host.runOk(write(`${file}-two`), {
    input: 'correct horse\nsecond line\n',
  });
  const cases: [string[], RegExp][] = [
    [['--password-file', '/none'], /--password-file: cannot read \/none/],
    [['--password-file', '/dev/null'], /--password-file: \/dev\/null must hold one line/],
    [['--password-file', `${file}-two`], /must hold one line/],
    [['--password', 'x', '--password-file', file], /--password and --password-file are both given/],
  ];
  for (const [flags, message] of cases) {
    const { code, stderr } = await launch(flags);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, secrets);
  }
});
