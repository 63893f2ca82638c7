import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import Docker from 'dockerode';
import { playCompose } from '../support/compose.ts';
import { useHost } from '../support/use-host.ts';

let docker: Docker;
const host = useHost({
  launch: [],
  prepare: async () => {
    docker = new Docker({ socketPath: host.socketPath('proxy') });
  },
});

test('Compose 1, written in Python', () => playCompose(host, ['docker-compose'], '_'));

test('dockerode: a container’s whole life', async () => {
  // From a time on that is before the container: the engine answers before it listens.
  const since = Math.floor(Date.now() / 1000);
  const events = await docker.getEvents({ since, filters: { type: ['container'], container: ['whole'] } });
  const seen: string[] = [];
  const removed = new Promise<void>((resolve) => {
    createInterface({ input: events }).on('line', (line) => {
      seen.push(JSON.parse(line).Action);
      if (seen.includes('destroy')) resolve();
    });
  });
  const container = await docker.createContainer({
    name: 'whole',
    Image: 'busybox',
    Cmd: ['sh', '-c', 'read line; echo "$(hostname) got $line"; echo err >&2; exit 4'],
    OpenStdin: true,
    StdinOnce: true,
  });
  const stream = await container.attach({
    stream: true,
    hijack: true,
    stdin: true,
    stdout: true,
    stderr: true,
  });
  const [out, err] = [collector(), collector()];
  container.modem.demuxStream(stream, out.into, err.into);
  const ended = new Promise((resolve) => stream.once('end', resolve));
  await container.start();
  const waited = container.wait();
  stream.end('typed\n');
  assert.equal((await waited).StatusCode, 4);
  await ended;
  assert.deepEqual([out.text(), err.text()], ['whole.weave.local got typed\n', 'err\n']);
  assert.equal(
    ((await container.logs({ stdout: true })) as Buffer).subarray(8).toString(),
    'whole.weave.local got typed\n',
  );
  // Without a requested hostname, inspect shows the engine's own.
  assert.equal((await container.inspect()).Config.Hostname, container.id.slice(0, 12));
  await container.remove();
  await removed;
  (events as unknown as { destroy(): void }).destroy();
  // The engine tells of an attach after its answer, when the start may be under way.
  assert.ok(seen.includes('attach'), `${seen}`);
  assert.deepEqual(
    seen.filter((action) => action !== 'attach'),
    ['create', 'start', 'die', 'destroy'],
  );
});

test('dockerode: exec, with its streams and code', async () => {
  const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'] });
  await container.start();
  const exec = await container.exec({
    Cmd: ['sh', '-c', 'ip -4 -o addr show ethwe; cat; exit 5'],
    AttachStdin: true,
    AttachStdout: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const out = collector();
  container.modem.demuxStream(stream, out.into, out.into);
  const ended = new Promise((resolve) => stream.once('end', resolve));
  stream.end('typed');
  await ended;
  assert.match(out.text(), /inet 10\.32\.\d+\.\d+\/12 [\s\S]*typed$/);
  assert.equal((await exec.inspect()).ExitCode, 5);
  await container.remove({ force: true });
});

test('dockerode: build, with its progress, and run', async () => {
  const tar = spawn('sh', [
    '-c',
    'd=$(mktemp -d) && printf "FROM busybox\\nRUN echo built > /b\\nCMD cat /b\\n" > $d/Dockerfile && tar -C $d -c . ; rm -r $d',
  ]);
  const stream = await docker.buildImage(tar.stdout, { t: 'by-dockerode' });
  const steps = await new Promise<{ stream?: string }[]>((resolve, reject) =>
    docker.modem.followProgress(stream, (error, all) => (error ? reject(error) : resolve(all))),
  );
  assert.match(steps.map((step) => step.stream ?? '').join(''), /Step 3\/3[\s\S]*Successfully built/);
  const out = collector();
  // It waits for the container's end, which may be known before all output has come.
  const written = once(out.into, 'finish');
  const [result, container] = await docker.run('by-dockerode', [], out.into);
  await written;
  assert.equal(result.StatusCode, 0);
  assert.equal(out.text().replaceAll('\r', ''), 'built\n');
  await container.remove();
  await assert.rejects(docker.getContainer('nope').inspect(), {
    statusCode: 404,
    reason: 'no such container',
  });
});

test('testcontainers: networks, aliases, files, waiting for logs, exec', async (t) => {
  t.after(() => {
    delete process.env.DOCKER_HOST;
  });
  process.env.DOCKER_HOST = `unix://${host.socketPath('proxy')}`;
  // It would pull the image of its reaper.
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
  const { GenericContainer, Network, Wait } = await import('testcontainers');
  const network = await new Network().start();
  const start = (name: string) =>
    new GenericContainer('busybox')
      .withName(name)
      .withNetwork(network)
      .withNetworkAliases(`${name}-alias`)
      .withEnvironment({ WEAVE_CIDR: '' })
      .withCopyContentToContainer([{ content: 'copied\n', target: '/copied' }])
      .withCommand(['sh', '-c', 'cat /copied && echo ready; trap "exit 0" TERM; while :; do sleep 0.1; done'])
      .withWaitStrategy(Wait.forLogMessage('ready'))
      .start();
  const one = await start('tc-one');
  const two = await start('tc-two');
  assert.match((await one.exec(['cat', '/copied'])).output, /^copied\r?\n$/);
  assert.match((await one.exec(['ip', '-4', 'addr', 'show', 'ethwe'])).output, /inet 10\.32\./);
  // It connects to the network after create: Docker's DNS has the alias there, and answers for the hostname as well.
  assert.match((await one.exec(['ping', '-c', '1', 'tc-two-alias'])).output, / 0% packet loss/);
  assert.match((await one.exec(['ping', '-c', '1', 'tc-two.weave.local'])).output, / 0% packet loss/);
  assert.match((await host.weavets('dns-lookup', 'tc-two')).stdout, /^10\.32\.\d+\.\d+\n$/);
  assert.equal((await two.exec(['sh', '-c', 'exit 7'])).exitCode, 7);
  await one.stop();
  await two.stop();
  await network.stop();
  assert.equal(await host.docker('ps', '-aq', '--filter', 'name=tc-'), '');
});

/** What `ps --why` prints, by name; ids in full. */
async function why(): Promise<string[][]> {
  const { stdout } = await host.weavets('ps', '--why');
  const full = (await host.docker('ps', '-q', '--no-trunc')).split('\n');
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
  const named = rows.map(([id = '', ...rest]) => [full.find((each) => each.startsWith(id)) ?? id, ...rest]);
  return named.toSorted(([, one = ''], [, two = '']) => one.localeCompare(two));
}

/** A stream that keeps what is written into it. */
function collector() {
  const pieces: Buffer[] = [];
  return {
    into: new Writable({
      write: (piece: Buffer, _encoding, done) => {
        pieces.push(piece);
        done();
      },
    }),
    text: () => Buffer.concat(pieces).toString(),
  };
}

test('user-defined networks: containers that ask are attached, and resolve names of both DNS servers', async () => {
  await host.docker('network', 'create', 'mine');
  const run = (name: string, ...args: string[]) =>
    host.proxied('run', '-d', '--name', name, ...args, 'busybox', 'sleep', '1000');
  const ids = [
    await run('labelled', '--net', 'mine', '--label', 'weavets.cidr=10.32.50.1/12'),
    await run('asking', '--net', 'mine', '-e', 'WEAVE_CIDR=10.32.50.2/12'),
    await run('silent', '--net', 'mine'),
    await run('bridged', '-e', 'WEAVE_CIDR=10.32.50.3/12'),
    await run('refusing', '-e', 'WEAVE_CIDR=none'),
    await run('hosted', '--net', 'host'),
    await run('sharing', '--net', 'container:bridged'),
  ];
  const ping = (from: string, to: string) => host.proxied('exec', from, 'ping', '-c', '1', to);
  assert.match(await ping('labelled', 'silent'), /PING silent \(172\./);
  assert.match(await ping('labelled', 'asking'), /PING asking \(172\./);
  assert.match(await ping('labelled', 'asking.weave.local'), /\(10\.32\.50\.2\)/);
  assert.match(await ping('bridged', 'labelled'), /\(10\.32\.50\.1\)/);
  assert.match(await ping('asking', 'bridged.weave.local'), /\(10\.32\.50\.3\)/);
  assert.equal(await host.proxied('exec', 'asking', 'hostname', '-f'), 'asking.weave.local');

  const none = 'it is on the network mine and asks for no address (WEAVE_CIDR or label weavets.cidr)';
  assert.deepEqual(await why(), [
    [ids[1], 'asking', 'attached', '10.32.50.2/12'],
    [ids[3], 'bridged', 'attached', '10.32.50.3/12'],
    [ids[5], 'hosted', 'not attached', 'it shares the network of the host'],
    [ids[0], 'labelled', 'attached', '10.32.50.1/12'],
    [ids[4], 'refusing', 'not attached', 'WEAVE_CIDR=none'],
    [ids[6], 'sharing', 'not attached', `it shares the network of container:${ids[3]}`],
    [ids[2], 'silent', 'not attached', none],
  ]);
  await host.docker('rm', '-f', ...ids);
});

test('--attach-user-networks attaches all of them', async () => {
  await host.weavets('stop');
  const { code, stderr } = await host.weavets('launch', '--attach-user-networks');
  assert.equal(code, 0, stderr);
  const id = await host.proxied('run', '-d', '--name', 'any', '--net', 'mine', 'busybox', 'sleep', '1000');
  assert.match(await host.proxied('exec', 'any', 'ip', '-4', 'addr', 'show', 'ethwe'), /inet 10\.32\./);
  const [[shown, ...rest] = [], ...others] = await why();
  assert.deepEqual([shown, rest[0], rest[1], others], [id, 'any', 'attached', []]);
  await host.docker('rm', '-f', id);
  await host.docker('network', 'rm', 'mine');
});
