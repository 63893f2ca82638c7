/** Commands that can't be run, beside the engine alone. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, test } from 'node:test';
import { until } from '../support/host.ts';
import { forEachEngine, useHost } from '../support/use-host.ts';

forEachEngine(({ suite, name: engine }) => {
  const host = useHost({ suite, launch: [], prepare });
  // Hosts share /tmp with the machine.
  const folder = `/tmp/no-command-${process.pid}-${engine}`;
  const files = ['-v', `${folder}:/files`];
  after(() => rm(folder, { recursive: true, force: true }));

  async function prepare(): Promise<void> {
    await host.runOk([
      'sh',
      '-c',
      `mkdir -p ${folder}; cd ${folder}; echo echo >plain; echo garbage >odd; printf '#!/none\\n' >orphan
       echo 'echo without "$0" "$@"' >script; chmod +x odd orphan script; ln -s loop loop`,
    ]);
  }

  const socketOf = (through: string) =>
    through === 'proxy' ? host.proxySocket : 'unix:///var/run/docker.sock';
  const docker = (through: string, ...args: string[]) =>
    host.run(['docker', '-H', socketOf(through), ...args]);
  const state = (name: string, through = 'proxy') =>
    docker(
      through,
      'inspect',
      '-f',
      '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}} {{.RestartCount}}',
      name,
    );

  /** Everything a user sees of a container from its start on, by a client and by the API. */
  async function seen(through: string, options: string[], command: string[]) {
    const run = await docker(through, 'run', '--name', 'tried', ...options, ...command);
    if (options.includes('-d')) run.stdout = '';
    const told = [run, await state('tried', through), await docker(through, 'logs', 'tried')];
    const again = [await docker(through, 'start', 'tried'), await state('tried', through)];
    const answers: string[] = [];
    for (const verb of ['start', 'restart']) {
      const socket = socketOf(through).replace('unix://', '');
      const url = `http://docker/v1.41/containers/tried/${verb}?t=0`;
      answers.push(
        await host.runOk(['curl', '-s', '-w', ' %{http_code}', '--unix-socket', socket, '-X', 'POST', url]),
      );
    }
    await docker(through, 'rm', '-f', 'tried');
    return { told, again, answers };
  }

  const cases: Record<string, [options: string[], command: string[]]> = {
    'a name that PATH does not have': [[], ['busybox', 'nosuch']],
    'a path to nothing': [[], ['busybox', '/no/such']],
    'a directory': [[], ['busybox', '/etc']],
    'a path through a file': [[], ['busybox', '/etc/passwd/x']],
    'not executable': [files, ['busybox', '/files/plain']],
    'not executable, in PATH': [
      [...files, '-e', 'PATH=/files'],
      ['busybox', 'plain'],
    ],
    'a link to itself': [files, ['busybox', '/files/loop']],
    'no name': [
      ['--entrypoint', ''],
      ['busybox', ''],
    ],
    'a user who is not there': [
      ['-u', 'nosuch'],
      ['busybox', 'true'],
    ],
    'a user without rights, and a root that can’t be written to': [
      ['-u', '1000', '--cap-drop', 'ALL', '--read-only'],
      ['busybox', 'nosuch'],
    ],
    'a restart policy': [
      ['-d', '--restart', 'always'],
      ['busybox', 'nosuch'],
    ],
    'a signal of its own to stop': [
      ['--stop-signal', 'SIGWINCH'],
      ['busybox', 'nosuch'],
    ],
    'a working directory at /w': [
      ['-w', '/w/app'],
      ['busybox', 'nosuch'],
    ],
  };
  for (const [what, [options, command]] of Object.entries(cases)) {
    test(`${what}: fails as without us`, async () => {
      assert.deepEqual(await seen('proxy', options, command), await seen('engine', options, command));
    });
  }

  test('a working directory that is a file: nothing is created', async () => {
    const run = (through: string) =>
      docker(through, 'run', '--name', 'none', '-w', '/etc/passwd', 'busybox', 'true');
    assert.deepEqual(await run('proxy'), await run('engine'));
  });

  test('what only execve can tell: the container has run, and says why', async () => {
    for (const file of ['odd', 'orphan']) {
      const run = (through: string) => docker(through, 'run', '--rm', ...files, 'busybox', `/files/${file}`);
      const [ours, plain] = [await run('proxy'), await run('engine')];
      assert.deepEqual([ours.stdout, ours.stderr], [plain.stdout, plain.stderr]);
      // Older runtimes exit with 1.
      assert.deepEqual([ours.code, plain.code], [255, engine === '28.5' ? 255 : 1]);
    }
  });

  test('below an init: it ends as the init would have it, and a script needs no first line', async () => {
    const run = async (through: string, ...args: string[]) => {
      const { code, stdout } = await docker(through, 'run', '--rm', '--init', ...files, ...args);
      return { args, code, stdout };
    };
    const paths = ['script', 'odd', 'orphan', 'plain', 'loop'].map((name) => `/files/${name}`);
    const inPath = ['-e', 'PATH=/files:/bin'];
    for (const args of [
      ...[...paths, 'nosuch', '/no/such', '/etc', '/etc/passwd/x'].map((path) => [
        'busybox',
        path,
        'an argument',
      ]),
      ...['script', 'plain', 'none'].map((name) => [...inPath, 'busybox', name]),
    ])
      assert.deepEqual(await run('proxy', ...args), await run('engine', ...args));
  });

  test('a command’s own 126 or 127 is its own', async () => {
    for (const code of [126, 127]) {
      const run = await docker('proxy', 'run', '--rm', 'busybox', 'sh', '-c', `echo out; exit ${code}`);
      assert.deepEqual(run, { code, stdout: 'out\n', stderr: '' });
    }
  });

  test('--rm: the same error, and nothing is left', async () => {
    const run = (through: string) => docker(through, 'run', '--rm', '--name', 'gone', 'busybox', 'nosuch');
    assert.deepEqual(await run('proxy'), await run('engine'));
    assert.equal(await host.docker('ps', '-aq', '--filter', 'name=gone'), '');
  });

  test('started without the proxy it exits, and no policy restarts it', async () => {
    await host.proxied('create', '--name', 'past', '--restart', 'always', 'busybox', 'nosuch');
    await host.docker('start', 'past');
    await until('it has ended', async () => (await state('past')).stdout.startsWith('created 127 '));
    assert.equal(
      await host.docker('inspect', '-f', '{{.State.Status}} {{.RestartCount}}', 'past'),
      'exited 0',
    );
    await host.docker('rm', 'past');
  });
});
