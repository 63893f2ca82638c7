import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { commands } from '../../src/cli/commands.ts';
import { topics } from '../../src/cli/help/topics.ts';
import { offered } from '../support/complete.ts';
import { until, weavets } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const path = `${dirname(weavets)}:${process.env.PATH}`;
const names = commands.map(({ name }) => name);
const completionFiles = {
  bash: '/usr/local/share/bash-completion/completions/weavets',
  zsh: '/usr/local/share/zsh/site-functions/_weavets',
  fish: '/etc/fish/completions/weavets.fish',
} as const;

const host = useHost({
  prepare: async () => {
    // Of /usr/local/share, a host of the laboratory has a copy of its own to write to.
    await host.runOk(['mount', '-t', 'tmpfs', 'tmpfs', '/usr/local/share']);
    await host.docker('run', '-d', '--name', 'bbox1', 'busybox', 'sleep', '100000');
    await host.docker('run', '-d', '--name', 'bbox2', 'busybox', 'sleep', '100000');
  },
});

for (const shell of ['bash', 'zsh', 'fish'] as const) {
  test(`${shell} completes commands, their words and flags, and containers`, async () => {
    const complete = (line: string) =>
      offered[shell]((argv) => host.run(argv, { env: { PATH: path, DOCKER_HOST: undefined } }), line);
    assert.deepEqual(await complete('weavets '), names.toSorted());
    assert.deepEqual(await complete('weavets dns-'), ['dns-add', 'dns-args', 'dns-lookup', 'dns-remove']);
    assert.deepEqual(await complete('weavets status '), ['connections', 'dns', 'ipam', 'peers', 'targets']);
    assert.deepEqual(await complete('weavets launch --no-d'), [
      ...['--no-default-ipalloc', '--no-discovery', '--no-dns'],
    ]);
    assert.deepEqual(await complete('weavets attach '), ['bbox1', 'bbox2']);
    assert.deepEqual(await complete('weavets help env'), ['env', 'environment']);
  });
}

test('help has a page for each topic, and the manual page has everything', async () => {
  for (const topic of Object.keys(topics)) {
    const { code, stdout, stderr } = await host.weavets('help', topic);
    assert.deepEqual([code, stderr], [0, ''], topic);
    assert.match(stdout, /^[A-Z][A-Z ]+\n\n\S/);
    assert.doesNotMatch(stdout, /\]\(|^\||^#/m, 'nothing is left of Markdown but backticks');
  }
  const all = await host.weavets('help', 'commands');
  assert.equal(all.stdout, (await host.weavets('help')).stdout);
  const page = (await host.weavets('help', '--man')).stdout;
  // Warnings of groff are mistakes in the page.
  const { stdout, stderr } = await host.run(['groff', '-ww', '-man', '-Tascii', '-P-c'], { input: page });
  assert.equal(stderr, '');
  const text = stdout.replaceAll(/.[\b]/g, '');
  for (const { name } of commands) assert.match(text, new RegExp(`^ {3}weavets ${name}( |$)`, 'm'));
  for (const topic of Object.keys(topics)) assert.match(text, new RegExp(`^${topic.toUpperCase()}$`, 'm'));
  assert.match(text, /^ {7}--ipalloc-default-subnet$/m);
  assert.match(text, /^ {11}docker run -e WEAVE_CIDR="net:default 10\.2\.1\.1\/24" -itd busybox$/m);
});

test('install-service prints units, or writes units that systemd accepts', async () => {
  const printed = await host.weavets('install-service');
  assert.equal(printed.code, 0);
  assert.deepEqual((await host.shell('ls /etc/systemd/system/weavets.*')).stdout, '');
  const refused = await host.weavets('install-service', '--install');
  assert.deepEqual([refused.code, refused.stdout], [1, '']);
  assert.match(refused.stderr, /systemd does not run this host; --write/);
  const { code, stdout, stderr } = await host.weavets('install-service', '--write');
  const files = stdout.trim().split('\n');
  const environment = '/etc/default/weavets';
  const units = ['/etc/systemd/system/weavets.socket', '/etc/systemd/system/weavets.service'];
  assert.deepEqual(files, [...units, environment]);
  assert.deepEqual([code, stderr], [0, 'next: systemctl daemon-reload && systemctl enable --now weavets\n']);
  for (const file of units) assert.ok(printed.stdout.includes(await host.runOk(['cat', file])));
  const verified = await host.run(['systemd-analyze', 'verify', ...units]);
  assert.deepEqual(verified, { code: 0, stdout: '', stderr: '' });
  // systemd's own exposure score (times 10): 70 without hardening; this is as low as it works.
  const analyze = ['systemd-analyze', 'security', '--offline=true', '--threshold=45', '--no-pager'];
  const hardened = await host.run([...analyze, ...units.slice(1)]);
  assert.equal(hardened.code, 0, hardened.stdout);
  assert.equal(await host.runOk(['stat', '-c', '%a %U', environment]), '600 root\n');
});

test("the service's secrets file takes those of the environment, and is kept", async () => {
  const environment = '/etc/default/weavets';
  await host.runOk(['rm', environment]);
  const secret = 'a "b" $c \\d';
  await host.runOk([weavets, 'install-service', '--write'], { env: { WEAVE_PASSWORD: secret } });
  const text = await host.runOk(['cat', environment]);
  assert.match(text, /^WEAVE_PASSWORD="a \\"b\\" \\\$c \\\\d"$/m);
  await host.runOk(['chmod', '644', environment]);
  await host.runOk([weavets, 'install-service', '--write'], { env: { WEAVE_PASSWORD: 'another' } });
  assert.equal(await host.runOk(['cat', environment]), text);
  assert.equal(await host.runOk(['stat', '-c', '%a', environment]), '600\n');
});

test("started as by the unit: by a client at systemd's socket, and it reports ready", async () => {
  const unit = await host.runOk(['cat', '/etc/systemd/system/weavets.service']);
  const argv = (/^ExecStart=(.*) \$WEAVETS_FLAGS$/m.exec(unit)?.[1] ?? '').split(' ');
  assert.deepEqual(argv.slice(-4), ['launch', '--foreground', '-H', 'fd://']);
  const told = host.spawn(['socat', '-u', 'UNIX-RECVFROM:/run/notify.sock,fork', 'STDOUT']);
  let notified = '';
  told.stdout?.on('data', (chunk) => {
    notified += chunk;
  });
  await until(
    'the socket for notes is there',
    async () => (await host.run(['test', '-S', '/run/notify.sock'])).code === 0,
  );
  const socket = '/run/weave/weave.sock';
  assert.match(
    await host.runOk(['cat', '/etc/systemd/system/weavets.socket']),
    new RegExp(`^ListenStream=${socket}$`, 'm'),
  );
  await host.runOk(['mkdir', '-p', dirname(socket)]);
  const service = host.spawn(['systemd-socket-activate', '-l', socket, '-E', 'NOTIFY_SOCKET', ...argv], {
    NOTIFY_SOCKET: '/run/notify.sock',
    DOCKER_HOST: undefined,
  });
  const ended = new Promise((resolve) => service.once('close', resolve));
  await until('systemd holds the socket', async () => (await host.run(['test', '-S', socket])).code === 0);
  assert.equal(
    (await host.run(['pgrep', '-f', 'launch --foreground -H fd'])).stdout.split('\n').length,
    2,
    'not yet started',
  );
  // This client starts the daemon, and waits until it serves.
  assert.match(await host.proxied('run', '--rm', 'busybox', 'ip', 'addr'), /inet 10\.32\.0\.1\/12 .*ethwe/);
  await until('systemd was told', () => notified.includes('READY=1'));
  assert.equal((await host.weavets('config')).stdout, `-H=unix://${socket}\n`);
  const again = await host.weavets('install-service', '--write');
  assert.equal(again.code, 0);
  assert.deepEqual(await host.weavets('stop'), { code: 0, stdout: '', stderr: '' });
  await ended;
  assert.equal((await host.run(['test', '-S', socket])).code, 0, 'the socket stays for the next start');
  told.kill();
});

test('-H fd:// without systemd says so', async () => {
  const launched = await host.weavets('launch', '-H', 'fd://');
  assert.deepEqual([launched.code, launched.stdout], [1, '']);
  assert.match(launched.stderr, /-H fd:\/\/ is for systemd, with --foreground \(USAGE\)/);
  const foreground = await host.weavets('launch', '--foreground', '-H', 'fd://');
  assert.match(
    foreground.stderr,
    /fd:\/\/ needs sockets that systemd passed to this very process \(LISTEN_FDS, LISTEN_PID\)/,
  );
  await host.runOk(['rm', '-f', '/run/weave/weave.sock']);
});

test('uninstall asks, lists what it removed, and leaves nothing', async () => {
  for (const [shell, file] of Object.entries(completionFiles)) {
    assert.equal((await host.weavets('completion', shell, '--install')).stdout, `${file}\n`);
    const { stdout } = await host.weavets('completion', shell);
    assert.equal(await host.runOk(['cat', file]), stdout);
  }
  await host.launch();
  await host.proxied('run', '-d', '--name', 'stays', 'busybox', 'sleep', '100000');
  const unasked = await host.weavets('uninstall');
  assert.deepEqual([unasked.code, unasked.stdout], [1, '']);
  assert.match(unasked.stderr, /there is no terminal to ask on.*--force/);
  // On a terminal, which `script` gives it: anything but yes is no.
  const asked = (answer: string) => host.shell(`script -qec '${weavets} uninstall' /dev/null <<<${answer}`);
  const no = await asked('n');
  assert.match(no.stdout, /Remove weavets from this host\? .*\[y\/N\] [\s\S]*nothing was removed/);
  assert.equal((await host.weavets('ps', 'stays')).stdout.startsWith('stays '), true);
  const yes = await asked('y');
  // What takes long is shown on the terminal, and cleared (the code ends in K) before the first of these lines.
  const removed = [...yes.stdout.matchAll(/(?:^|K)removed (\S+)\r?$/gm)].map(([, file]) => file);
  assert.deepEqual(removed, [
    '/var/log/weavets.log',
    '/etc/systemd/system/weavets.socket',
    '/etc/systemd/system/weavets.service',
    '/etc/default/weavets',
    ...Object.values(completionFiles),
  ]);
  for (const file of removed) assert.equal((await host.run(['test', '-e', `${file}`])).code, 1, file);
  assert.equal((await host.run(['ip', 'link', 'show', 'weave'])).code, 1);
  assert.doesNotMatch(await host.runOk(['iptables-save']), /WEAVE/);
  assert.equal(await host.docker('inspect', '-f', '{{.State.Running}}', 'stays'), 'true');
  assert.deepEqual(await host.weavets('uninstall', '--force'), {
    code: 0,
    stdout: '',
    stderr: 'weavets was not installed\n',
  });
});
