import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import * as v from 'valibot';
import { outputs } from '../../src/control/outputs.ts';
import { until, weavets } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({
  launch: [],
  prepare: () => start('bbox1'),
});
const start = (name: string, ...flags: string[]) =>
  host.proxied('run', '-d', '--name', name, ...flags, 'busybox', 'sleep', 'inf');

/** What a command prints with --json, which must have its form, and nothing beside it. */
async function json<K extends keyof typeof outputs>(of: K, ...argv: string[]): Promise<void> {
  const { code, stdout, stderr } = await host.weavets(...argv, '--json');
  assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`);
  const value = JSON.parse(stdout);
  assert.deepEqual(v.parse(outputs[of], value), value, argv.join(' '));
  tried.add(of);
}
const tried = new Set<string>();

/** As a person sees it, in 80 columns. */
async function onTerminal(...argv: string[]): Promise<string> {
  const { stdout } = await host.shell(
    `stty cols 80; script -qec '${[weavets, ...argv].join(' ')}' /dev/null`,
    {
      env: { NO_COLOR: '1', TERM: 'xterm' },
    },
  );
  return stdout.replaceAll('\r\n', '\n');
}

test('whatever prints data prints it as JSON, in the form that is written down', async () => {
  await host.docker('run', '-d', '--name', 'late', 'busybox', 'sleep', 'inf');
  await start('apart', '-e', 'WEAVE_CIDR=none');
  await json('setup', 'setup');
  await json('version', 'version');
  await json('status', 'status');
  for (const topic of ['targets', 'connections', 'peers', 'dns', 'ipam'] as const)
    await json(`status ${topic}`, 'status', topic);
  await json('ps', 'ps');
  await json('ps', 'ps', 'bbox1');
  await json('ps --why', 'ps', '--why');
  await json('ps --all', 'ps', '--all');
  await json('report', 'report');
  await json('env', 'env');
  await json('config', 'config');
  await json('docker-bridge-ip', 'docker-bridge-ip');
  await json('attach', 'attach', 'late');
  await json('detach', 'detach', 'late');
  await json('expose', 'expose');
  await json('hide', 'hide');
  await json('dns-add', 'dns-add', '10.9.0.1', '-h', 'printer.weave.local');
  await json('dns-lookup', 'dns-lookup', 'printer');
  await json('dns-remove', 'dns-remove', '10.9.0.1', '-h', 'printer.weave.local');
  await json('prime', 'prime');
  const refused = await host.weavets('dns-add', 'nobody', '--json');
  assert.deepEqual([refused.code, refused.stdout], [1, '']);
  assert.equal(JSON.parse(refused.stderr).code, 'NO_SUCH_CONTAINER');
});

test('status on a terminal is one screen that says what is well, what not, and what to do', async () => {
  let well = '';
  await until('all is well', async () => {
    well = await onTerminal('status');
    return / on host1: all is well\n/.test(well);
  });
  assert.match(well, /^weavets \S+ on host1: all is well\n/);
  assert.match(well, /^ {2}ok {2}containers {2}\d attached; 2 not: (late, apart|apart, late)/m);
  assert.match(well, /eval \$\(weavets env\)/);
  assert.ok(well.split('\n').every((line) => line.length <= 80));
  assert.ok(well.split('\n').length < 24);
  await host.runOk(['ip', 'link', 'add', 'lies-over', 'type', 'bridge']);
  await host.runOk(['ip', 'addr', 'add', '10.40.0.1/16', 'dev', 'lies-over']);
  await host.runOk(['ip', 'link', 'set', 'lies-over', 'up']);
  await until('it is seen', async () => /: 1 thing to do\n/.test(await onTerminal('status')));
  assert.match(await onTerminal('status'), /\n\nWhat to do:\n {2}1\. [\s\S]+ago\)\n/);
  // Scripts have what they had.
  assert.match((await host.weavets('status')).stdout, /^ {8}Version: [\s\S]+\n\n {8}Service: router\n/);
  await host.runOk(['ip', 'link', 'del', 'lies-over']);
  await until('it is gone', async () => /: all is well\n/.test(await onTerminal('status')));
});

test('ps on a terminal is a table; --watch shows each change', async () => {
  assert.match(
    await onTerminal('ps'),
    /^NAME +ADDRESSES +CONTAINER +MAC\n[\s\S]*^bbox1 +10\.32\.0\.\d+\/12 +[0-9a-f]{12} /m,
  );
  const watching = host.spawn([weavets, 'ps', '--all', '--watch']);
  let said = '';
  watching.stdout?.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  await until('it lists', () =>
    /^NAME +HOST +ADDRESSES +CONTAINER\nbbox1 +host1 +10\.32\.0\.\d+\/12 /m.test(said),
  );
  await start('later');
  await until('it shows the new one', () => /\n\nNAME[^\n]*\nbbox1[^\n]*\nlater +host1 /.test(said));
  watching.kill();
  await once(watching, 'exit');
});

test('launch, stop and reset tell what they do when they take long, on a terminal only', async () => {
  await json('stop', 'stop');
  // An etcd that never answers: what is waited for is shown.
  const command = `${weavets} launch --store etcd://10.250.0.77:2379`;
  const slow = host.spawn(['script', '-qec', command, '/dev/null'], { TERM: 'xterm' });
  let said = '';
  slow.stdout?.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  await until('it says what it waits for', () => said.includes('\r\x1b[Kjoining the other hosts… '));
  slow.stdin?.write('\x03');
  await once(slow, 'exit');
  await json('launch', 'launch');
  await json('reset', 'reset');
});

test('while the daemon does not answer, commands say what they wait for', async () => {
  await host.launch();
  const { pid } = JSON.parse(await host.runOk(['curl', '-sf', ...socket, 'http://weavets/op/ping']));
  // When it goes on it finds the calls of all these, so none may change anything.
  const waits: Record<string, string> = {
    'ps --watch': 'waiting for weavets',
    'attach bbox1': 'waiting for weavets',
    report: 'waiting for weavets',
    status: 'waiting for weavets',
    doctor: 'checking this host',
    'doctor bbox1 bbox1': 'going from bbox1 to bbox1 and back',
    prime: 'waiting for addresses',
    'cluster backup /root/b': 'writing /root/b',
    stop: 'stopping weavets',
  };
  await host.runOk(['kill', '-STOP', `${pid}`]);
  try {
    for (const [command, text] of Object.entries(waits)) {
      const waiting = host.spawn(['script', '-qec', `${weavets} ${command}`, '/dev/null'], { TERM: 'xterm' });
      let said = '';
      waiting.stdout?.setEncoding('utf8').on('data', (more) => {
        said += more;
      });
      await until(`${command} says it`, () => said.includes(`\r\x1b[K${text}… `));
      waiting.stdin?.write('\x03');
      await once(waiting, 'exit');
    }
  } finally {
    await host.runOk(['kill', '-CONT', `${pid}`]);
  }
});
const socket = ['--unix-socket', '/var/run/weave/control.sock', '-X', 'POST'];

test('connect, forget, rmpeer and uninstall, too', async () => {
  await json('rmpeer', 'rmpeer', 'nobody');
  await json('uninstall', 'uninstall', '--force');
  // Those that need other hosts are tried in test/cluster, doctor beside its faults.
  const left = Object.keys(outputs).filter((name) => !tried.has(name) && !/^(cluster |doctor$)/.test(name));
  assert.deepEqual(left, ['connect', 'forget']);
});
