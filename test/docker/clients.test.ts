import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import Docker from 'dockerode';
import { playCompose } from '../support/compose.ts';
import { Host } from '../support/host.ts';

let host: Host;
let docker: Docker;
before(async () => {
  host = await Host.create();
  const { code, stderr } = await host.weavets('launch');
  assert.equal(code, 0, stderr);
  docker = new Docker({ socketPath: host.path('/run/weave/weave.sock') });
});
after(() => host[Symbol.asyncDispose]());

test('Compose of old, written in Python', () => playCompose(host, ['docker-compose'], '_'));

test('dockerode: a container’s whole life', async () => {
  const events = await docker.getEvents({ filters: { type: ['container'], container: ['whole'] } });
  const seen: string[] = [];
  const removed = new Promise<void>((resolve) => {
    events.on('data', (line: Buffer) => {
      for (const event of line.toString().trim().split('\n')) seen.push(JSON.parse(event).Action);
      if (seen.includes('destroy')) resolve();
    });
  });
  const container = await docker.createContainer({
    name: 'whole',
    Image: 'busybox',
    Cmd: ['sh', '-c', 'read line; echo "got $line"; echo err >&2; exit 4'],
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
  assert.deepEqual(await waited, { StatusCode: 4 });
  await ended;
  assert.deepEqual([out.text(), err.text()], ['got typed\n', 'err\n']);
  assert.equal(((await container.logs({ stdout: true })) as Buffer).subarray(8).toString(), 'got typed\n');
  assert.equal((await container.inspect()).Config.Hostname, 'whole.weave.local');
  await container.remove();
  await removed;
  (events as unknown as { destroy(): void }).destroy();
  assert.deepEqual(seen, ['create', 'attach', 'start', 'die', 'destroy']);
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
  const [result] = await docker.run('by-dockerode', [], out.into, { HostConfig: { AutoRemove: true } });
  assert.equal(result.StatusCode, 0);
  assert.equal(out.text().replaceAll('\r', ''), 'built\n');
  await assert.rejects(docker.getContainer('nope').inspect(), {
    statusCode: 404,
    reason: 'no such container',
  });
});

test('testcontainers: networks, aliases, files, logs that are waited for, exec', async () => {
  process.env.DOCKER_HOST = `unix://${host.path('/run/weave/weave.sock')}`;
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
      .withCommand(['sh', '-c', 'cat /copied; ip -4 -o addr show ethwe; echo ready; exec sleep 1000'])
      .withWaitStrategy(Wait.forLogMessage('ready'))
      .start();
  const one = await start('tc-one');
  const two = await start('tc-two');
  assert.match((await text(await one.logs())).replaceAll('\r', ''), /copied\n.*inet 10\.32\./);
  // Each name with the address of its network: the alias by Docker's DNS, the name under our domain by ours.
  assert.match((await one.exec(['ping', '-c', '1', 'tc-two-alias'])).output, /PING tc-two-alias \(172\./);
  assert.match((await one.exec(['ping', '-c', '1', 'tc-two.weave.local'])).output, /\(10\.32\./);
  assert.equal((await two.exec(['sh', '-c', 'exit 7'])).exitCode, 7);
  await two.restart();
  await one.stop();
  await two.stop();
  await network.stop();
  assert.equal(await host.docker('ps', '-aq', '--filter', 'name=tc-'), '');
});

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
