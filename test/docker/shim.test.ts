import assert from 'node:assert/strict';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { ShimMode } from '../../src/model/shim.ts';
import { until } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';
import { BuiltShims } from '../unit/shim/built.ts';

const host = useHost();

/** The arguments of `docker run` that put the shim before the command. */
const shimmed = (shims: BuiltShims, mode: ShimMode) => [
  '-v',
  `${shims.folder(mode)}:/w:ro`,
  '--entrypoint',
  '/w/w',
];

/** Gives the network to a container; `link` names the host's end. */
async function attach(container: string, link: string): Promise<void> {
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', container);
  await host.runOk(['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'ethwe', 'netns', pid]);
  await host.runOk(['ip', 'link', 'set', link, 'up']);
  await host.runOk(['nsenter', '-t', pid, '-n', 'ip', '-batch', '-'], {
    input: 'address add 10.32.0.1/12 dev ethwe\nlink set ethwe up\nroute add 224.0.0.0/4 dev ethwe\n',
  });
}

/** Standard error without what the shim says of a long wait, which it may have on a busy machine. */
const withoutNotice = (stderr: string) => stderr.replace(/^w: waiting for the network: .*\n/, '');

/** An image that holds nothing but one static program, /echo. */
async function importScratch(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await cp('/bin/busybox', join(folder, 'echo'));
  await host.runOk(['sh', '-c', `tar -C "$1" -c echo | docker import - scratch`, 'sh', folder]);
}

test('in every kind of container the command runs only once the network is ready', async () => {
  await using shims = await BuiltShims.create();
  await importScratch(join(host.dir, 'scratch'));
  const strict = ['--read-only', '--user=1000', '--cap-drop=ALL', '--security-opt=no-new-privileges'];
  const kinds: { name: string; options?: string[]; image?: string; command?: string[] }[] = [
    { name: 'plain' },
    { name: 'scratch', image: 'scratch', command: ['/echo', 'ran'] },
    { name: 'readonly', options: ['--read-only'] },
    { name: 'user', options: ['--user=1000'] },
    { name: 'init', options: ['--init'] },
    { name: 'capless', options: ['--cap-drop=ALL'] },
    { name: 'nnp', options: ['--security-opt=no-new-privileges'] },
    { name: 'none', options: ['--network=none'] },
    { name: 'strict', options: strict, image: 'scratch', command: ['/echo', 'ran'] },
  ];
  const start = async (
    mode: ShimMode,
    { name, options = [], image = 'busybox', command }: (typeof kinds)[number],
  ) =>
    host.docker(
      ...['run', '-d', '--name', name, ...shimmed(shims, mode), ...options],
      ...[image, ...(command ?? ['echo', 'ran'])],
    );
  for (const [i, kind] of kinds.entries()) {
    const { name } = kind;
    await start('multicast', kind);
    assert.equal(await host.docker('inspect', '-f', '{{.State.Running}}', name), 'true', `${name} waits`);
    assert.equal(await host.docker('logs', name), '', `${name} waits`);
    await attach(name, `test${i}`);
    assert.equal(await host.docker('wait', name), '0', name);
    const { stdout, stderr } = await host.run(['docker', 'logs', name]);
    assert.deepEqual([stdout, withoutNotice(stderr)], ['ran\n', ''], name);
  }
});

test("`docker exec` waits too; a waiting container stops at once; exit codes are docker's", async () => {
  await using shims = await BuiltShims.create();
  const run = (...args: string[]) => host.run(['docker', 'run', '--rm', ...args]);

  await host.docker('run', '-d', '--name', 'waiting', ...shimmed(shims, 'wait'), 'busybox', 'sleep', '1000');
  const exec = host.run(['docker', 'exec', 'waiting', '/w/w', 'cat', '/sys/class/net/ethwe/operstate']);
  await until('both wait', async () => (await host.run(['pgrep', '-fc', '^/w/w '])).stdout === '2\n');
  await attach('waiting', 'exec0');
  const { code, stdout, stderr } = await exec;
  assert.deepEqual([code, stdout, withoutNotice(stderr)], [0, 'up\n', '']);
  await host.docker('rm', '-f', 'waiting');

  for (const options of [[], ['--init']]) {
    await host.docker(
      'run',
      '-d',
      '--name',
      'waiting',
      ...shimmed(shims, 'wait'),
      ...options,
      'busybox',
      'true',
    );
    // As of any first process, the kernel throws away a SIGTERM that comes before the shim keeps them: bit 14.
    await until('it waits', async () => {
      const { stdout } = await host.shell('cat /proc/$(pgrep -f "^/w/w ")/status');
      const [, blocked = '0'] = /^SigBlk:\s+(\w+)/m.exec(stdout) ?? [];
      return (Number.parseInt(blocked, 16) & (1 << 14)) !== 0;
    });
    await host.docker('stop', '-t', '1000', 'waiting');
    assert.equal(await host.docker('inspect', '-f', '{{.State.ExitCode}}', 'waiting'), '143');
    await host.docker('rm', 'waiting');
  }

  const failures = { foo: 127, '/foo': 127, '/etc/passwd': 126 };
  for (const [command, code] of Object.entries(failures)) {
    const direct = await run('busybox', command);
    const through = await run(...shimmed(shims, 'nowait'), 'busybox', command);
    assert.deepEqual([through.code, direct.code], [code, code], through.stderr);
    assert.match(through.stderr, /^w: exec: "/);
  }

  // A sandbox without netlink: the command must not hang for ever.
  const profile = join(host.dir, 'no-netlink.json');
  const netlink = [{ index: 0, value: 16, op: 'SCMP_CMP_EQ' }];
  const rule = { names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: 97, args: netlink };
  await writeFile(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
  const sandboxed = await run(
    ...[...shimmed(shims, 'multicast'), `--security-opt=seccomp=${profile}`],
    ...['busybox', 'echo', 'ran'],
  );
  assert.deepEqual(sandboxed, {
    code: 0,
    stdout: 'ran\n',
    stderr: "w: the network can't be watched from here (errno 97): starting without waiting for it\n",
  });
});
