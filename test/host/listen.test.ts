/** Where `weavets launch` listens and where it finds the engine, with TLS and without: the real thing, end to end. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Authority, type Certificate } from '../support/certificates.ts';
import { until, weavets } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const usual = 'unix:///var/run/weave/weave.sock';

describe('endpoints', { timeout: 600_000 }, () => {
  const host = useHost();
  /** the same path inside the host */
  let dir: string;
  let server: Certificate;
  let client: Certificate;
  let stranger: Certificate;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weavets-listen-'));
    const [ours, other] = [await Authority.create(dir), await Authority.create(dir, 'other-ca')];
    server = await ours.sign('server', ['IP:127.0.0.1', 'IP:10.250.0.1', 'DNS:localhost']);
    client = await ours.sign('client', ['DNS:client']);
    stranger = await other.sign('stranger', ['DNS:client']);
    // The names that docker looks for in DOCKER_CERT_PATH.
    await copyFile(client.cert, join(dir, 'cert.pem'));
    await copyFile(client.key, join(dir, 'key.pem'));
  });
  afterEach(() => host.weavets('stop'));
  after(() => rm(dir, { recursive: true }));

  async function launch(args: string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
    const out = await host.run([weavets, 'launch', ...args], { env });
    assert.equal(out.code, 0, out.stderr);
  }

  async function refused(args: string[], message: RegExp, env: NodeJS.ProcessEnv = {}): Promise<void> {
    const out = await host.run([weavets, 'launch', ...args], { env });
    assert.deepEqual([out.code, out.stdout], [1, ''], args.join(' '));
    assert.match(out.stderr, message);
  }

  /** A shell script. @returns standard output */
  async function sh(script: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const out = await host.shell(`set -e; ${script}`, { env });
    assert.equal(out.code, 0, `${script}: ${out.stdout}${out.stderr}`);
    return out.stdout;
  }

  /** Owner, group and mode of a socket inside the host. */
  async function access(path: string): Promise<number[]> {
    const { uid, gid, mode } = await stat(host.path(path));
    return [uid, gid, mode & 0o777];
  }

  const flags = ({ ca, cert, key }: Certificate) => ['--tlscacert', ca, '--tlscert', cert, '--tlskey', key];
  const tls = (mode: '--tls' | '--tlsverify') => [mode, ...flags(server)];
  const command = (...parts: string[]) => `docker ${parts.join(' ')}`;

  /** Every kind of call, the hijacked ones with their ends of input, and the attachment. */
  async function works(docker: string, env: NodeJS.ProcessEnv = {}, first = ''): Promise<void> {
    const out = await sh(
      `${first}
       ${docker} run -d --name works busybox sh -c 'while read l; do echo "<$l>"; done; sleep 1000' >/dev/null
       ${docker} exec works ip -o -4 addr show ethwe | grep -o '10\\.32\\.[0-9.]*/12'
       seq 1 20000 | ${docker} run --rm -i busybox sh -c 'sort -n | tail -1; echo done'
       echo in | ${docker} exec -i works sh -c 'cat; echo after'
       ${docker} exec works sh -c 'exit 3' || echo "exit $?"
       ${docker} run -di --name attached busybox sh -c 'read l; echo "got $l"' >/dev/null
       # Wait for the output: the engine ends an attach with its input.
       { echo one; until grep -q got ${dir}/out; do sleep 0.05; done; } | ${docker} attach --sig-proxy=false attached >${dir}/out
       cat ${dir}/out; rm ${dir}/out
       ${docker} rm -f works attached >/dev/null`,
      env,
    );
    assert.match(out, /^10\.32\.0\.\d+\/12\n20000\ndone\nin\nafter\nexit 3\ngot one\n$/);
  }

  test("several -H: each works, sockets have the engine's owner, group and mode, and are gone after stop", async () => {
    await host.runOk(['chown', '1234:2345', '/run/docker.sock']);
    await host.runOk(['chmod', '640', '/run/docker.sock']);
    const other = '/run/elsewhere/weave.sock';
    const hosts = [usual, `unix://${other}`, 'tcp://127.0.0.1:12375', '127.0.0.1:12376'];
    await launch(hosts.flatMap((endpoint) => ['-H', endpoint]));
    for (const path of ['/run/weave/weave.sock', other])
      assert.deepEqual(await access(path), [1234, 2345, 0o640]);
    const printed = (await host.weavets('report', '-f', '{{range .Proxy.Addresses}}{{.}} {{end}}')).stdout;
    assert.deepEqual(printed.trim().split(' '), [...hosts.slice(0, 3), 'tcp://127.0.0.1:12376']);
    for (const endpoint of printed.trim().split(' '))
      assert.equal(await sh(`docker -H ${endpoint} run --rm busybox hostname | wc -l`), '1\n', endpoint);
    await works(`docker -H ${hosts[2]}`);
    assert.equal((await host.weavets('stop')).code, 0);
    for (const path of ['/run/weave/weave.sock', other])
      await assert.rejects(stat(host.path(path)), { code: 'ENOENT' });
    await host.runOk(['chown', 'root:root', '/run/docker.sock']);
  });

  test('TCP beyond this host without TLS only if allowed', async () => {
    const open = ['-H', 'tcp://10.250.0.1:12375'];
    await refused(open, /would give root on this host.*--allow-insecure-tcp.*\(INSECURE_TCP\)\n$/);
    await launch([...open, '--allow-insecure-tcp']);
    assert.equal(await sh('docker -H tcp://10.250.0.1:12375 ps -q'), '');
    assert.equal((await host.weavets('config')).stdout, '-H=tcp://10.250.0.1:12375\n');
  });

  test("systemd's sockets", async () => {
    await refused(['-H', 'fd://'], /--foreground \(USAGE\)\n/);
    const passed = ['-l', '/run/passed.sock', '-l', '127.0.0.1:12377'];
    // It waits for the first client, and becomes the daemon then.
    const activated = host.spawn([
      ...['systemd-socket-activate', ...passed, weavets, 'launch', '--foreground', '-H', 'fd://'],
    ]);
    let log = '';
    activated.stderr?.on('data', (text: Buffer) => {
      log += text;
    });
    const ended = new Promise((resolve) => activated.once('exit', resolve));
    await until('systemd-socket-activate listens', () => log.includes('12377'));
    assert.match(await sh('docker -H unix:///run/passed.sock version'), /Server:/, log);
    assert.equal(
      (await host.weavets('report', '-f', '{{json .Proxy.Addresses}}')).stdout.trim(),
      '["unix:///run/passed.sock","tcp://127.0.0.1:12377"]',
    );
    await works('docker -H tcp://127.0.0.1:12377');
    assert.equal((await host.weavets('stop')).code, 0);
    await ended;
    assert.ok((await stat(host.path('/run/passed.sock'))).isSocket(), "the socket is systemd's to remove");
  });

  test('bad certificates and keys are named', async () => {
    const bad = join(dir, 'bad.pem');
    await writeFile(bad, 'no PEM\n');
    const { ca, cert, key } = server;
    const cases: [args: string[], message: RegExp][] = [
      [['--tls', '--tlscert', '/none.pem', '--tlskey', key], /--tlscert: cannot read \/none\.pem: /],
      [['--tls', '--tlscert', bad, '--tlskey', key], /--tlscert: \S+\/bad\.pem is not a certificate/],
      [['--tls', '--tlscert', cert, '--tlskey', bad], /--tlskey: \S+\/bad\.pem is not a key/],
      [['--tls', '--tlscert', cert, '--tlskey', client.key], /client\.key is not the key of \S.*server\.pem/],
      [['--tlsverify', '--tlscert', cert, '--tlskey', key], /--tlscacert: cannot read \/\S+\/ca\.pem: /],
      [
        ['--tlsverify', '--tlscacert', bad, '--tlscert', cert, '--tlskey', key],
        /--tlscacert: \S+\/bad\.pem is no/,
      ],
      [['--tlscacert', ca], /without --tls or --tlsverify/],
    ];
    for (const [args, message] of cases)
      await refused(args, new RegExp(`${message.source}.*\\(TLS_CONFIG\\)\\n$`), { HOME: '/nowhere' });
    const engine = { DOCKER_HOST: 'tcp://127.0.0.1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/none' };
    await refused([], /DOCKER_CERT_PATH: cannot read \/none\/ca\.pem: .*\(TLS_CONFIG\)\n$/, engine);
  });

  test('an engine on another socket, and on TCP', async () => {
    await host.stopEngine();
    const usualSocket = ['-H', 'unix:///var/run/docker.sock'];
    await host.startEngine([...usualSocket, '-H', 'unix:///run/other.sock', '-H', 'tcp://127.0.0.1:2375']);
    await host.runOk(['chown', '1:3456', '/run/other.sock']);
    await launch([], { DOCKER_HOST: 'unix:///run/other.sock' });
    assert.deepEqual(await access('/run/weave/weave.sock'), [1, 3456, 0o660]);
    assert.equal(await sh(`docker -H ${usual} run --rm busybox echo hi`), 'hi\n');
    assert.equal((await host.weavets('stop')).code, 0);
    await launch([], { DOCKER_HOST: 'tcp://localhost:2375' });
    assert.deepEqual(await access('/run/weave/weave.sock'), [0, 0, 0o660]);
    await works(`docker -H ${usual}`);
  });

  test('TLS of the engine and of the proxy, as docker and dockerd have it', async () => {
    await host.stopEngine();
    const tcp = ['-H', 'unix:///var/run/docker.sock', '-H', 'tcp://0.0.0.0:2376'];
    await host.startEngine([...tcp, ...tls('--tlsverify')]);
    const engine = { DOCKER_HOST: 'tcp://localhost:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: dir };
    // Docker's own variables, of a user whose docker talks to this engine, and of weavets.
    await launch(['-H', 'tcp://0.0.0.0:12376', ...tls('--tlsverify')], engine);
    const proxy = ['-H', 'tcp://10.250.0.1:12376'];
    await works('docker', engine, `eval $(${weavets} env)`);
    assert.equal(
      await sh(command(...proxy, '--tlsverify', ...flags(client), 'run --rm busybox echo hi')),
      'hi\n',
    );
    assert.equal(
      await sh(
        `eval $(${weavets} env); eval $(${weavets} env --restore); env | grep ^DOCKER_ | sort`,
        engine,
      ),
      `DOCKER_CERT_PATH=${dir}\nDOCKER_HOST=tcp://localhost:2376\nDOCKER_TLS_VERIFY=1\n`,
    );

    // Refused: strangers, clients without a certificate, clients without TLS.
    for (const who of [
      ['--tlsverify', '--tlscacert', server.ca, '--tlscert', stranger.cert, '--tlskey', stranger.key],
      ['--tlsverify', '--tlscacert', server.ca, '--tlscert', '/none', '--tlskey', '/none'],
      ['--tls'],
      [],
    ]) {
      const out = await host.run(['docker', ...proxy, ...who, 'ps'], { env: { HOME: '/nowhere' } });
      assert.notEqual(out.code, 0, who.join(' '));
      assert.equal(out.stdout, '', who.join(' '));
    }
    const ping = (...args: string[]) =>
      host.run(['curl', '-sS', ...args, '--cacert', server.ca, 'https://10.250.0.1:12376/_ping']);
    const known = ['--cert', client.cert, '--key', client.key];
    for (const version of ['1.2', '1.3'])
      assert.equal((await ping(...known, `--tlsv${version}`, '--tls-max', version)).stdout, 'OK', version);
    // This client would: the proxy won't.
    const old = ['--tlsv1.1', '--tls-max', '1.1', '--ciphers', 'DEFAULT@SECLEVEL=0'];
    assert.match((await ping(...known, ...old)).stderr, /alert protocol version/);
    assert.equal((await host.weavets('stop')).code, 0);

    // --tls encrypts, and asks nobody for a certificate.
    await launch(['-H', 'tcp://0.0.0.0:12376', ...tls('--tls')], engine);
    assert.equal((await ping()).stdout, 'OK');
    await works(command(...proxy, '--tlsverify', '--tlscacert', server.ca), { HOME: '/nowhere' });
    assert.equal((await host.weavets('stop')).code, 0);

    // The usual socket has no TLS, whatever the user's docker is told of the engine's.
    await launch([], engine);
    assert.equal(await sh(`eval $(${weavets} env); docker run --rm busybox echo hi`, engine), 'hi\n');
    assert.equal((await host.weavets('stop')).code, 0);

    // DOCKER_TLS encrypts without verifying: here the certificate is for another address.
    const unverified = { DOCKER_HOST: 'tcp://127.0.0.2:2376', DOCKER_TLS: '1', DOCKER_CERT_PATH: dir };
    await launch([], unverified);
    await works('docker', unverified, `eval $(${weavets} env)`);
    assert.equal((await host.weavets('stop')).code, 0);

    // An engine whose certificate is for another name, and one that does not know us.
    await refused([], /altnames.*ENGINE_UNREACHABLE/, { ...engine, DOCKER_HOST: 'tcp://127.0.0.2:2376' });
    await refused([], /HTTPS.*ENGINE_ERROR/, { DOCKER_HOST: 'tcp://127.0.0.1:2376' });
  });
});
