import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { useHost } from '../support/use-host.ts';

const host = useHost();
beforeEach(async () => {
  assert.equal((await host.weavets('reset')).code, 0);
  await host.removeContainers();
});

/** Launches, and asserts that only these notes are on standard error. @returns the daemon's pid */
async function launch(flags: string[], { notes = [] as string[], env = {} as NodeJS.ProcessEnv } = {}) {
  const { code, stdout, stderr } = await host.run(['weavets', 'launch', ...flags], {
    env: { ...paths, ...env },
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\d+\n$/);
  assert.equal(stderr, notes.map((note) => `note: ${note}\n`).join(''));
  return stdout.trim();
}
const paths = { PATH: `${process.cwd()}/bin:${process.env.PATH}`, DOCKER_HOST: undefined };
const out = async (...argv: string[]) => (await host.weavets(...argv)).stdout;
const run = (...args: string[]) => host.proxied('run', '-d', ...args, 'busybox', 'sleep', '100000');
const inside = (name: string, ...argv: string[]) => host.docker('exec', name, ...argv);
const curl = (url: string) => host.run(['curl', '-sS', '--max-time', '10', url]);
const dig = (...args: string[]) => host.runOk(['dig', '+noall', '+answer', '+time=5', ...args]);
const bridgeMtu = async () => Number(await host.runOk(['cat', '/sys/class/net/weave/mtu']));
const address = async (name: string) => (await out('ps', name)).trim().split(' ').slice(2).join(' ');

test('without flags', async () => {
  const pid = await launch([]);
  await run('--name', 'c1');
  assert.equal(await inside('c1', 'hostname'), 'c1.weave.local');
  assert.match(await inside('c1', 'ip', 'route'), /224\.0\.0\.0\/4 dev ethwe/);
  assert.match(await inside('c1', 'cat', '/etc/hosts'), /^10\.32\.0\.1\tc1\.weave\.local c1$/m);
  assert.equal(await host.docker('inspect', '-f', '{{.HostConfig.Dns}}', 'c1'), '[172.17.0.1]');
  assert.match(
    await dig('@172.17.0.1', 'c1.weave.local'),
    /^c1\.weave\.local\.\s+1\s+IN\s+A\s+10\.32\.0\.1$/m,
  );
  assert.match(await host.proxied('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'c1'), /^172\.17\./);
  // What glibc has freed goes back to the kernel.
  const environment = await host.runOk(['cat', `/proc/${pid}/environ`]);
  assert.match(environment, /(^|\0)MALLOC_TRIM_THRESHOLD_=131072\0/);
  assert.equal((await curl('http://127.0.0.1:6782/metrics')).code, 0);
  assert.doesNotMatch(await host.runOk(['cat', '/var/log/weavets.log']), /"level":20,/);
});

test('--no-dns --no-multicast-route --no-rewrite-hosts --log-level --metrics-addr', async () => {
  await launch([
    ...['--no-dns', '--no-multicast-route', '--no-rewrite-hosts'],
    ...['--log-level', 'debug', '--metrics-addr', '127.0.0.1:7001'],
  ]);
  await run('--name', 'c1');
  assert.equal(await out('dns-args'), '');
  assert.equal(await out('report', '-f', '{{.DNS}}'), '<nil>\n');
  assert.doesNotMatch(await out('status'), /Service: dns/);
  assert.equal(await host.runOk(['ss', '-Hlnut', 'sport = :53']), '');
  assert.equal(await host.docker('inspect', '-f', '{{.HostConfig.Dns}}', 'c1'), '[]');
  const routes = await inside('c1', 'ip', 'route');
  assert.match(routes, /10\.32\.0\.0\/12 dev ethwe/);
  assert.doesNotMatch(routes, /224\.0\.0\.0/);
  assert.doesNotMatch(await inside('c1', 'cat', '/etc/hosts'), /10\.32\./);
  assert.match(await host.runOk(['cat', '/var/log/weavets.log']), /"level":20,/);
  assert.match((await curl('http://127.0.0.1:7001/metrics')).stdout, /^weave_ips 1$/m);
  assert.equal((await curl('http://127.0.0.1:6782/metrics')).code, 7);
});

test('--without-dns --dns-domain --dns-ttl --dns-listen-address', async () => {
  await launch([
    ...[
      '--without-dns',
      '--dns-domain',
      'Test.Example',
      '--dns-ttl',
      '77',
      '--dns-listen-address',
      '127.0.0.5',
    ],
  ]);
  await run('--name', 'c1');
  assert.equal(await host.docker('inspect', '-f', '{{.HostConfig.Dns}}', 'c1'), '[]');
  assert.equal(await inside('c1', 'hostname'), 'c1.test.example');
  assert.match(
    await dig('@127.0.0.5', 'c1.test.example'),
    /^c1\.test\.example\.\s+77\s+IN\s+A\s+10\.32\.0\.1$/m,
  );
  assert.equal(await out('dns-args'), '--dns=127.0.0.5 --dns-search=test.example.\n');
  assert.match(await out('status'), /Domain: test\.example\.\n[\s\S]*TTL: 77\n/);
  await host.weavets('stop');
  await launch(['--dns-listen-address', '127.0.0.1:5353']);
  assert.match(await dig('@127.0.0.1', '-p', '5353', '+tcp', 'c1.test.example'), /^$/);
  await run('--name', 'c2');
  assert.match(await dig('@127.0.0.1', '-p', '5353', 'c2.weave.local'), /\s10\.32\.0\.2$/m);
});

test("--ipalloc-range '': containers have only the addresses they name", async () => {
  await launch(['--ipalloc-range', '']);
  await run('--name', 'c1');
  await run('--name', 'c2', '-e', 'WEAVE_CIDR=10.2.1.1/24');
  assert.equal(await address('c1'), '');
  assert.equal(await address('c2'), '10.2.1.1/24');
  assert.match(await out('ps', '--why'), /c1 +not attached +it has no WEAVE_CIDR/);
  assert.doesNotMatch(await out('status'), /Service: ipam/);
  const { code, stderr } = await host.weavets('attach', 'c1');
  assert.equal(code, 1);
  assert.match(stderr, /allocates no addresses.*\(BAD_ADDRESS\)/);
});

test('--ipalloc-range --ipalloc-default-subnet --no-default-ipalloc', async () => {
  await launch([
    '--ipalloc-range',
    '10.50.0.0/16',
    '--ipalloc-default-subnet',
    '10.50.4.0/24',
    '--no-default-ipalloc',
  ]);
  await run('--name', 'c1');
  assert.equal(await address('c1'), '');
  assert.match(
    await out('ps', '--why'),
    /c1 +not attached +it has no WEAVE_CIDR, and --no-default-ipalloc is set/,
  );
  const [why] = JSON.parse(await out('ps', '--why', '--json'));
  assert.deepEqual([why.name, why.attached], ['c1', false]);
  await run('--name', 'c2', '-e', 'WEAVE_CIDR=net:default');
  await run('--name', 'c3', '-e', 'WEAVE_CIDR=net:10.50.0.0/16');
  assert.deepEqual([await address('c2'), await address('c3')], ['10.50.4.1/24', '10.50.0.1/16']);
  assert.match(await out('status'), /Range: 10\.50\.0\.0\/16\n {2}DefaultSubnet: 10\.50\.4\.0\/24\n/);
});

test('--hostname-from-label --hostname-match --hostname-replacement --rewrite-inspect', async () => {
  await launch([
    ...['--hostname-from-label', 'role', '--hostname-match', '^web-(?P<n>.*)$'],
    ...['--hostname-replacement', 'site-$n', '--rewrite-inspect'],
  ]);
  await run('--name', 'c1', '--label', 'role=web-7');
  await run('--name', 'web-8');
  assert.equal(await inside('c1', 'hostname'), 'site-7.weave.local');
  assert.equal(await inside('web-8', 'hostname'), 'site-8.weave.local');
  assert.equal(await out('dns-lookup', 'site-7'), '10.32.0.1\n');
  const shown = '{{.NetworkSettings.IPAddress}}/{{.NetworkSettings.IPPrefixLen}}';
  assert.equal(await host.proxied('inspect', '-f', shown, 'c1'), '10.32.0.1/12');
});

test('--attach-user-networks', async () => {
  await host.docker('network', 'create', 'own');
  await launch([]);
  await run('--name', 'c1', '--network', 'own');
  assert.equal(await address('c1'), '');
  await host.weavets('stop');
  await launch(['--attach-user-networks']);
  await run('--name', 'c2', '--network', 'own');
  assert.match(await address('c2'), /^10\.32\.0\.\d+\/12$/);
});

test('--name --nickname', async () => {
  await launch(['--name', '0e:1d:12:1a:1a:88', '--nickname', 'alpha']);
  assert.equal(await out('status', 'peers'), '0e:1d:12:1a:1a:88(alpha)\n');
  assert.equal(await out('ps'), 'weave:expose 0e:1d:12:1a:1a:88\n');
});

test('--proxy=false --http-addr --status-addr', async () => {
  await launch(['--proxy=false', '--http-addr', '127.0.0.1:6784', '--status-addr', 'off']);
  assert.equal((await host.run(['test', '-e', '/var/run/weave/weave.sock'])).code, 1);
  const config = await host.weavets('config');
  assert.deepEqual([config.code, config.stdout], [1, '']);
  assert.match(config.stderr, /the proxy is off; launch weavets without --proxy=false/);
  assert.doesNotMatch(await out('status'), /Service: proxy/);
  await host.docker('run', '-d', '--name', 'c1', 'busybox', 'sleep', '100000');
  assert.equal(await out('attach', 'c1'), '10.32.0.1\n');
  assert.equal((await curl('http://127.0.0.1:6784/domain')).stdout, 'weave.local.');
  assert.equal((await curl('http://127.0.0.1:6782/status')).code, 7);
});

test('-H --allow-insecure-tcp', async () => {
  const hosts = [
    '-H',
    'unix:///run/other.sock',
    '-H',
    'tcp://127.0.0.1:12375',
    '-H',
    `${host.address}:12376`,
  ];
  const refused = await host.weavets('launch', ...hosts);
  assert.match(refused.stderr, /10\.250\.0\.1:12376 would give root on this host.*\(INSECURE_TCP\)/);
  await launch([...hosts, '--allow-insecure-tcp']);
  const endpoints = ['unix:///run/other.sock', 'tcp://127.0.0.1:12375', `tcp://${host.address}:12376`];
  assert.deepEqual((await out('report', '-f', '{{join .Proxy.Addresses " "}}')).trim().split(' '), endpoints);
  for (const endpoint of endpoints) {
    const reply = await host.run(['docker', '-H', endpoint, 'run', '--rm', 'busybox', 'ip', 'addr']);
    assert.match(reply.stdout, /inet 10\.32\.0\.\d+\/12 .*ethwe/, endpoint);
  }
  assert.equal(await out('config'), `-H=${endpoints[0]}\n`);
});

test('--tls --tlsverify --tlscacert --tlscert --tlskey', async () => {
  await host.shell(`set -e; mkdir -p /run/certs; cd /run/certs
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -keyout ca-key.pem -out ca.pem -days 2
    for name in server client; do
      openssl req -newkey rsa:2048 -nodes -subj /CN=$name -keyout $name-key.pem -out $name.csr
      openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -out $name.pem \\
        -extfile <(echo subjectAltName=IP:127.0.0.1)
    done`);
  const files = (name: string) => [`--tlscert=/run/certs/${name}.pem`, `--tlskey=/run/certs/${name}-key.pem`];
  const docker = (...flags: string[]) =>
    host.run(['docker', '-H', 'tcp://127.0.0.1:12376', ...flags, 'ps', '-q']);
  const ca = '--tlscacert=/run/certs/ca.pem';
  await launch(['-H', 'tcp://127.0.0.1:12376', '--tls', ...files('server')]);
  assert.equal((await docker('--tlsverify', ca)).code, 0, 'encrypted, and any client');
  assert.equal((await docker()).code, 1, 'not in clear');
  await host.weavets('stop');
  await launch(['-H', 'tcp://127.0.0.1:12376', '--tlsverify', ca, ...files('server')]);
  assert.equal((await docker('--tlsverify', ca)).code, 1, 'not without a certificate');
  assert.equal((await docker('--tlsverify', ca, ...files('client'))).code, 0);
});

test('flags without effect here say so', async () => {
  await launch([]);
  const mtu = await bridgeMtu();
  await host.weavets('stop');
  const alone = (flag: string) => `--${flag} has no effect on a single host (--store lmdb)`;
  await launch(
    [
      ...['--password', 's3cret', '--trusted-subnets', '10.0.0.0/8', '--host', host.address, '--resume'],
      ...['--store', 'lmdb', '--datapath', 'bridge'],
      ...['--no-restart', '--plugin', '--ipalloc-init', 'seed=::1', '--no-discovery', '--conn-limit', '30'],
    ],
    {
      notes: [
        'other users of this host may have seen --password in the process list; use --password-file',
        ...['host', 'trusted-subnets'].map(alone),
        "--no-restart has no effect: only systemd restarts weavets, by 'weavets install-service'",
        '--plugin has no effect: there is no plugin; the proxy attaches containers',
        "--ipalloc-init has no effect: hosts agree on addresses by the cluster's store",
        '--no-discovery has no effect: the hosts of a cluster always know each other',
        '--conn-limit has no effect: there is no limit',
      ],
    },
  );
  assert.match(await out('status'), /Encryption: enabled\n[\s\S]*TrustedSubnets: 10\.0\.0\.0\/8\n/);
  // Room for WireGuard's header, so that this host can join others as it is.
  assert.ok((await bridgeMtu()) < mtu);
  await host.weavets('stop');
  await launch(['--plugin=false', '--no-restart=false', '--proxy=true', '--no-dns=false']);
});

test('the environment', async () => {
  await host.shell('ip link add br7 type bridge && ip addr add 172.31.7.1/24 dev br7 && ip link set br7 up');
  const env = {
    DOCKER_BRIDGE: 'br7',
    WEAVE_MTU: '1300',
    WEAVE_STATUS_ADDR: '127.0.0.1:7002',
    WEAVE_HTTP_ADDR: '127.0.0.1:7003',
    WEAVE_DEBUG: '1',
    // As `eval $(weavets env)` leaves it: the engine is the former one.
    DOCKER_HOST: 'unix:///var/run/weave/weave.sock',
    ORIG_DOCKER_HOST: 'unix:///run/docker.sock',
  };
  await launch([], { env });
  await run('--name', 'c1');
  assert.equal(await out('dns-args'), '--dns=172.31.7.1 --dns-search=weave.local.\n');
  assert.equal(
    (await host.run(['weavets', 'docker-bridge-ip'], { env: { ...paths, ...env } })).stdout,
    '172.31.7.1\n',
  );
  assert.match(await inside('c1', 'ip', 'link', 'show', 'ethwe'), / mtu 1300 /);
  assert.equal((await curl('http://127.0.0.1:7002/status')).code, 0);
  assert.equal((await curl('http://127.0.0.1:7003/domain')).stdout, 'weave.local.');
  assert.match(await host.runOk(['cat', '/var/log/weavets.log']), /"level":20,/);
  await host.weavets('stop');
  await launch([], {
    env: { WEAVE_PASSWORD: 's3cret' },
    notes: [],
  });
  assert.match(await out('status'), /Encryption: enabled/);
});
