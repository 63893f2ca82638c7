/**
 * Today's clients, on this run's engine: the docker command, Compose and BuildKit of the engine's Debian, or of sid; and
 * the docker command of 20.10.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { playCompose } from '../support/compose.ts';
import { inSuite, until } from '../support/host.ts';
import { RawClient } from '../support/proxied.ts';
import { firstEngine, useHost } from '../support/use-host.ts';

const host = useHost({ launch: ['--rewrite-inspect'] });
const suite = firstEngine.suite ?? 'sid';

/** Runs a script whose docker is today's. @returns standard output */
async function type(script: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const out = await host.run(await inSuite(suite, ['bash', '-c', script]), {
    env: { DOCKER_HOST: host.proxySocket, ...env },
  });
  assert.equal(out.code, 0, `${script}: ${out.stdout}${out.stderr}`);
  return out.stdout.replaceAll('\r', '');
}

test('the engine has the expected version', async () => {
  const api = await type('docker version -f "{{.Server.APIVersion}}"');
  assert.ok(Number(api.split('.')[1]) >= Number(firstEngine.api.split('.')[1]), api);
});

/** Runs a script whose docker is the machine's own, of 20.10. @returns standard output */
async function typeOfOld(script: string): Promise<string> {
  const { code, stdout, stderr } = await host.run(['bash', '-c', script], {
    env: { DOCKER_HOST: host.proxySocket, PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
  });
  assert.equal(code, 0, `${script}: ${stdout}${stderr}`);
  return stdout;
}

test('the transcript comes out', () => transcript(type));

test('the transcript comes out by the docker command of 20.10', async () => {
  assert.match(await typeOfOld('docker version -f "{{.Client.Version}}"'), /^20\.10\./);
  await transcript(typeOfOld);
});

async function transcript(type: (script: string) => Promise<string>): Promise<void> {
  const ids = await type('docker run --name bbox1 -itd busybox ; docker run --name bbox2 -itd busybox');
  assert.match(ids, /^[0-9a-f]{64}\n[0-9a-f]{64}\n$/);
  const shown = await type('docker exec bbox1 ip a');
  assert.match(shown, /: ethwe@\S+: <BROADCAST,MULTICAST,UP,LOWER_UP\S*> mtu 1450 /);
  const address = /inet (10\.32\.0\.\d+)\/12 brd 10\.47\.255\.255 scope global ethwe/.exec(shown)?.[1];
  assert.ok(address, shown);
  assert.equal(await type('docker exec bbox1 hostname'), 'bbox1.weave.local\n');
  assert.equal(await type('docker exec bbox1 hostname -s'), 'bbox1\n');
  assert.match(
    await type('docker exec bbox1 ping -c 1 bbox2'),
    /PING bbox2 \(10\.32\.0\.\d+\)[\s\S]* 0% packet loss/,
  );
  const routes = await type('docker exec bbox1 ip r');
  assert.match(routes, /^default via 172\.17\.0\.1 dev eth0 *$/m);
  assert.ok(routes.includes(`10.32.0.0/12 dev ethwe scope link  src ${address}`), routes);
  assert.match(routes, /^224\.0\.0\.0\/4 dev ethwe scope link *$/m);
  assert.equal(
    await type("docker ps --format '{{.Names}} {{.Command}}' | sort"),
    'bbox1 "/w/w sh"\nbbox2 "/w/w sh"\n',
  );
  // --rewrite-inspect: where this API has the address of a container.
  assert.ok((await type('docker inspect bbox1')).includes(`"IPAddress": "${address}"`));
  await type('docker restart -t 0 bbox1');
  assert.ok((await type('docker exec bbox1 ip -4 a show ethwe')).includes(`inet ${address}/12`));
  await type('docker rm -f bbox1 bbox2');
}

test('streams of every kind', async () => {
  assert.equal(await type('echo in | docker run --rm -i busybox cat'), 'in\n');
  assert.equal(
    await type('seq 1 100000 | docker run --rm -i busybox sh -c "sort -n | tail -1; echo done"'),
    '100000\ndone\n',
  );
  assert.equal(
    await type('docker run --rm busybox sh -c "echo out; echo err >&2; exit 3" 2>/dev/null || echo $?'),
    'out\n3\n',
  );
  assert.match(
    await type(`script -qec "docker run --rm -it busybox tty" /dev/null </dev/null`),
    /\/dev\/pts\/0\n/,
  );
  await type('docker run -d --name st busybox sleep 1000 >/dev/null');
  assert.equal(await type('echo e | docker exec -i st sh -c "cat; echo late"'), 'e\nlate\n');
  assert.equal(await type('docker exec st false || echo $?'), '1\n');
  await type('docker run -di --name at busybox sh -c "read l; echo got \\$l" >/dev/null');
  // Wait for the output: the engine ends an attach with its input.
  const attach =
    'f=$(mktemp); { echo one; until grep -q got $f; do sleep 0.05; done; } | docker attach --sig-proxy=false at >$f; cat $f; rm $f';
  assert.equal(await type(attach), 'got one\n');
  assert.equal(await type('docker logs at'), 'got one\n');
  assert.equal(
    await type('f=$(mktemp); echo f >$f; docker cp -q $f st:/f && docker cp st:/f - | tar -xO; rm $f'),
    'f\n',
  );
  assert.match(await type('docker save busybox | docker load'), /^Loaded image: busybox:latest\n$/);
  await type('docker rm -f st at');
});

test('the classic builder, and BuildKit over h2c', async () => {
  for (const kit of ['0', '1']) {
    const build = `printf "FROM busybox\\nRUN echo built > /b\\n" | docker build -q -t kit${kit} - && docker run --rm kit${kit} cat /b`;
    assert.match(await type(build, { DOCKER_BUILDKIT: kit }), /^sha256:[0-9a-f]{64}\nbuilt\n$/, kit);
  }
});

test('a hijack is multiplexed-stream when requested, and each direction ends on its own', async () => {
  await host.proxied('create', '-i', '--name', 'mux', 'busybox', 'sh', '-c', 'cat; echo err >&2');
  const client = new RawClient(connect({ path: host.socketPath('proxy'), allowHalfOpen: true }));
  client.send(
    `POST /v${firstEngine.api}/containers/mux/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nAccept: application/vnd.docker.multiplexed-stream\r\n\r\n`,
  );
  const head = await client.until((text) => text.includes('\r\n\r\n'));
  // An engine of before that type has one for all.
  const type = firstEngine.name === '20.10' ? 'raw-stream' : 'multiplexed-stream';
  assert.match(
    head,
    new RegExp(`^HTTP/1\\.1 101 UPGRADED\\r\\nContent-Type: application/vnd\\.docker\\.${type}\\r\\n`),
  );
  await host.proxied('start', 'mux');
  client.send('typed\n').socket.end();
  await until('the other way ends too', () => client.ended);
  // The engine copies the two outputs side by side: their frames come in either order.
  const frames = ['\x01\0\0\0\0\0\0\x06typed\n', '\x02\0\0\0\0\0\0\x04err\n'];
  const sent = client.text.slice(client.text.indexOf('\r\n\r\n') + 4);
  assert.ok([frames.join(''), frames.toReversed().join('')].includes(sent), JSON.stringify(sent));
  client.socket.destroy();
  await host.docker('rm', '-f', 'mux');
});

test('Compose', async () => {
  await playCompose(host, await inSuite(suite, ['docker-compose']), '-');
});
