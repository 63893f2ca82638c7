import assert from 'node:assert/strict';
import test from 'node:test';
import { statements } from '../../../src/cli/shell/shell.ts';
import { run } from '../../../src/lib/exec.ts';
import { type Answers, report, weavets } from './support.ts';

const proxy = 'unix:///var/run/weave/weave.sock';

function running(addresses: string[] = [proxy]): { answers: Answers } {
  return { answers: { report: () => ({ ...report, Proxy: { Addresses: addresses } }) } };
}

/** What `env` prints with these variables. */
async function env(variables: NodeJS.ProcessEnv, ...flags: string[]): Promise<string> {
  const { code, out, err } = await weavets(['env', ...flags], { ...running(), env: variables });
  assert.deepEqual([code, err], [0, '']);
  return out;
}

test('the plain line', async () => {
  assert.equal(await env({}), `export DOCKER_HOST=${proxy} ORIG_DOCKER_HOST=\n`);
  assert.equal(
    await env({ DOCKER_HOST: 'tcp://10.0.0.1:2375' }),
    `export DOCKER_HOST=${proxy} ORIG_DOCKER_HOST=tcp://10.0.0.1:2375\n`,
  );
});

test('twice in a row keeps the original', async () => {
  assert.equal(
    await env({ DOCKER_HOST: proxy, ORIG_DOCKER_HOST: 'tcp://10.0.0.1:2375' }),
    `export DOCKER_HOST=${proxy} ORIG_DOCKER_HOST=tcp://10.0.0.1:2375\n`,
  );
  assert.equal(await env({ DOCKER_HOST: proxy }), `export DOCKER_HOST=${proxy} ORIG_DOCKER_HOST=\n`);
});

test('restore', async () => {
  assert.equal(
    await env({ DOCKER_HOST: proxy, ORIG_DOCKER_HOST: '' }, '--restore'),
    'unset DOCKER_HOST ORIG_DOCKER_HOST\n',
  );
  assert.equal(
    await env({ DOCKER_HOST: proxy, ORIG_DOCKER_HOST: 'tcp://10.0.0.1:2375' }, '--restore'),
    'export DOCKER_HOST=tcp://10.0.0.1:2375; unset ORIG_DOCKER_HOST\n',
  );
  assert.equal(await env({ DOCKER_HOST: proxy }, '--restore'), 'unset DOCKER_HOST ORIG_DOCKER_HOST\n');
});

test('nothing to restore: a hint, exit 1; and no daemon is needed', async () => {
  const { code, out, err } = await weavets(['env', '--restore']);
  assert.deepEqual([code, out], [1, '']);
  assert.match(err, /^weavets: nothing to restore: there was no 'eval \$\(weavets env\)'/);
  const restored = await weavets(['env', '--restore'], { env: { DOCKER_HOST: proxy, ORIG_DOCKER_HOST: '' } });
  assert.equal(restored.code, 0);
});

test('of several endpoints the first, as clients reach it; never taken for the original', async () => {
  const several = running(['tcp://0.0.0.0:12375', proxy]);
  const reached = 'tcp://127.0.0.1:12375';
  const lines: string[] = [];
  for (const host of ['', proxy, reached, 'tcp://10.0.0.1:2375']) {
    lines.push((await weavets(['env'], { ...several, env: { DOCKER_HOST: host } })).out);
  }
  assert.deepEqual(lines, [
    `export DOCKER_HOST=${reached} ORIG_DOCKER_HOST=\n`,
    `export DOCKER_HOST=${reached} ORIG_DOCKER_HOST=\n`,
    `export DOCKER_HOST=${reached} ORIG_DOCKER_HOST=\n`,
    `export DOCKER_HOST=${reached} ORIG_DOCKER_HOST=tcp://10.0.0.1:2375\n`,
  ]);
});

test('TLS stays as it is for a proxy on TCP', async () => {
  const { out } = await weavets(['env'], {
    ...running(['tcp://127.0.0.1:12375']),
    env: { DOCKER_TLS_VERIFY: '1' },
  });
  assert.equal(out, 'export DOCKER_HOST=tcp://127.0.0.1:12375 ORIG_DOCKER_HOST=\n');
});

/** The variables of interest after `eval $(…)` of these outputs in turn, each made with what the last one left. */
async function evalEach(variables: NodeJS.ProcessEnv, ...commandLines: string[][]) {
  let left = variables;
  for (const argv of commandLines) {
    const { out } = await weavets(argv, { ...running(), env: left });
    const script =
      'eval $(printf %s "$PRINTED"); unset PRINTED PWD OLDPWD SHLVL _; exec "$NODE" -p "JSON.stringify(process.env)"';
    const shell = await run(['bash', '--norc', '-c', script], {
      script: true,
      env: { ...left, PRINTED: out, NODE: process.execPath },
    });
    assert.equal(shell.stderr, '');
    const { NODE: _node, PWD: _pwd, SHLVL: _level, _: _last, ...rest } = JSON.parse(shell.stdout);
    left = rest;
  }
  return left;
}

test('in a real shell: env and --restore leave everything as it was', async () => {
  for (const variables of [
    { HOME: '/root' },
    { DOCKER_HOST: 'tcp://10.0.0.1:2375' },
    { DOCKER_HOST: 'tcp://[::1]:2375', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/etc/certs' },
    { DOCKER_CONTEXT: 'remote' },
    { DOCKER_HOST: 'unix:///tmp/$(touch /tmp/pwned)\';`x`"&|<>*?\\.sock', DOCKER_CONTEXT: "it's; mine" },
  ]) {
    const there = await evalEach(variables, ['env']);
    assert.equal(there.DOCKER_HOST, proxy);
    assert.equal(there.DOCKER_CONTEXT, undefined);
    assert.equal(there.DOCKER_TLS_VERIFY, undefined);
    assert.deepEqual(await evalEach(variables, ['env'], ['env'], ['env', '--restore']), variables);
  }
});

test('fish', async () => {
  assert.equal(
    await env({ DOCKER_HOST: "unix:///it's\\here" }, '--shell', 'fish'),
    `set -gx DOCKER_HOST '${proxy}';\nset -gx ORIG_DOCKER_HOST 'unix:///it\\'s\\\\here';\n`,
  );
  assert.equal(
    await env({ DOCKER_HOST: proxy, ORIG_DOCKER_HOST: '' }, '--shell=fish', '--restore'),
    'set -e DOCKER_HOST;\nset -e ORIG_DOCKER_HOST;\n',
  );
});

test('PowerShell', async () => {
  assert.equal(
    await env({ DOCKER_HOST: "unix:///it's" }, '--shell', 'powershell'),
    `$Env:DOCKER_HOST = '${proxy}'\n$Env:ORIG_DOCKER_HOST = 'unix:///it''s'\n`,
  );
  assert.equal(
    await env({ DOCKER_HOST: proxy }, '--shell', 'powershell', '--restore'),
    'Remove-Item -ErrorAction Ignore Env:DOCKER_HOST\nRemove-Item -ErrorAction Ignore Env:ORIG_DOCKER_HOST\n',
  );
});

test('any value survives the shell', async () => {
  // Without quotes around $(…) runs of blanks become one, so there are none here.
  const values = [
    '',
    'plain',
    "'",
    '"',
    '$HOME',
    '`id`',
    'a b',
    ';rm',
    '\\',
    '!',
    '#',
    '~',
    'ä',
    '-n',
    '{a,b}',
  ];
  for (const value of values) {
    const script = `eval $(printf %s "$PRINTED"); printf %s "$X"`;
    const env = { PRINTED: statements.bash([['X', value]]) };
    for (const shell of ['bash', 'dash']) {
      assert.equal(
        (await run([shell, '-c', script], { env, script: true })).stdout,
        value,
        `${shell} ${value}`,
      );
    }
  }
});
