import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path, { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { launch } from '../../../src/cli/commands/launch.ts';
import { parseArgs } from '../../../src/cli/parse.ts';
import type { LaunchConfig } from '../../../src/config/config.ts';
import { parseLaunch } from '../../../src/config/launch-config.ts';
import type { ErrorCode } from '../../../src/lib/errors.ts';
import { runOk } from '../../../src/lib/exec.ts';

const parse = async (line: string, env: NodeJS.ProcessEnv = {}): Promise<LaunchConfig> =>
  parseLaunch((await parseArgs(launch, line.split(' ').filter(Boolean))) as never, env);

const defaults: LaunchConfig = {
  hosts: ['unix:///var/run/weave/weave.sock'],
  engine: 'unix:///var/run/docker.sock',
  engineTls: null,
  tls: null,
  allowInsecureTcp: false,
  ipallocRange: '10.32.0.0/12',
  ipallocRangeGiven: false,
  ipallocDefaultSubnet: null,
  defaultIpalloc: true,
  attachUserNetworks: false,
  dns: true,
  dnsForContainers: true,
  dnsDomain: 'weave.local.',
  dnsTtl: 1,
  dnsListenAddress: null,
  expose: false,
  hostsFile: false,
  multicastRoute: true,
  rewriteHosts: true,
  rewriteInspect: false,
  hostnameFromLabel: null,
  hostnameMatch: '(.*)',
  hostnameReplacement: '$1',
  proxy: true,
  dockerBridge: 'docker0',
  mtu: null,
  statusAddress: '127.0.0.1:6782',
  httpAddress: null,
  name: null,
  nickname: hostname(),
  datapath: 'bridge',
  store: 'lmdb',
  etcd: null,
  password: null,
  peers: [],
  join: null,
  open: false,
  discovery: true,
  dnsDomainGiven: false,
  trustedSubnets: [],
  resume: false,
  host: null,
  logLevel: 'info',
};

test('the defaults', async () => {
  assert.deepEqual(await parse(''), defaults);
});

test('every flag', async () => {
  const cases: [line: string, change: Partial<LaunchConfig>][] = [
    [
      '-H unix:///a.sock -H=127.0.0.1:1 --store lmdb h2',
      { hosts: ['unix:///a.sock', 'tcp://127.0.0.1:1'], peers: ['h2'] },
    ],
    ['-H fd://', { hosts: ['fd://'] }],
    ['-H tcp://localhost', { hosts: ['tcp://127.0.0.1:12375'] }],
    // As with dockerd, no host means loopback.
    ['-H :12375', { hosts: ['tcp://127.0.0.1:12375'] }],
    ['-H 0.0.0.0:12375 --allow-insecure-tcp', { hosts: ['tcp://0.0.0.0:12375'], allowInsecureTcp: true }],
    ['-H tcp://[::1]:99', { hosts: ['tcp://[::1]:99'] }],
    ['--ipalloc-range 10.2.0.0/16', { ipallocRange: '10.2.0.0/16', ipallocRangeGiven: true }],
    ['--ipalloc-range=', { ipallocRange: null, ipallocRangeGiven: true, defaultIpalloc: false }],
    ['--ipalloc-default-subnet=10.32.4.0/24', { ipallocDefaultSubnet: '10.32.4.0/24' }],
    ['--no-default-ipalloc', { defaultIpalloc: false }],
    ['--attach-user-networks', { attachUserNetworks: true }],
    ['--no-dns', { dns: false, dnsForContainers: false }],
    ['--no-dns=false', {}],
    ['--without-dns', { dnsForContainers: false }],
    ['--dns-domain Foo.Bar', { dnsDomain: 'foo.bar.', dnsDomainGiven: true }],
    ['--dns-domain foo.bar.', { dnsDomain: 'foo.bar.', dnsDomainGiven: true }],
    ['--dns-ttl 0', { dnsTtl: 0 }],
    ['--dns-listen-address 127.0.0.1', { dnsListenAddress: '127.0.0.1' }],
    ['--dns-listen-address 127.0.0.1:5353', { dnsListenAddress: '127.0.0.1:5353' }],
    ['--no-multicast-route', { multicastRoute: false }],
    ['--no-rewrite-hosts', { rewriteHosts: false }],
    ['--rewrite-inspect', { rewriteInspect: true }],
    ['--hostname-from-label a.b', { hostnameFromLabel: 'a.b' }],
    [
      '--hostname-match ^(?P<n>.*)-x --hostname-replacement $n',
      { hostnameMatch: '^(?P<n>.*)-x', hostnameReplacement: '$n' },
    ],
    // Go's flags, as the proxy has them.
    ['--hostname-match (?i)foo', { hostnameMatch: '(?i)foo' }],
    ['--hostname-replacement=', { hostnameReplacement: '' }],
    ['--name 0E:1D:12:1A:1A:88', { name: '0e:1d:12:1a:1a:88' }],
    ['--nickname n1 --nickname=n2', { nickname: 'n2' }],
    ['--host 10.0.0.1', { host: '10.0.0.1' }],
    ['--resume', { resume: true }],
    ['--no-restart --plugin=false --proxy', {}],
    ['--proxy=false', { proxy: false }],
    ['--log-level debug', { logLevel: 'debug' }],
    ['--password s3cret', { password: 's3cret' }],
    // With host bits, too, as in Weave Net.
    ['--trusted-subnets 10.0.0.7/24', { trustedSubnets: ['10.0.0.0/24'] }],
    ['--trusted-subnets 10.0.0.0/8,10.1.0.0/16', { trustedSubnets: ['10.0.0.0/8', '10.1.0.0/16'] }],
    ['--status-addr 127.0.0.1:9', { statusAddress: '127.0.0.1:9' }],
    ['--metrics-addr 10.0.0.1:9', { statusAddress: '10.0.0.1:9' }],
    ['--status-addr off', { statusAddress: null }],
    ['--http-addr 127.0.0.1:6784', { httpAddress: '127.0.0.1:6784' }],
    ['--store etcd://h1:2379,h2:2379', { store: 'etcd://h1:2379,h2:2379' }],
    ['--store etcd://h1,10.0.0.1:4001', { store: 'etcd://h1:2379,10.0.0.1:4001' }],
    ['--store etcds://h1', { store: 'etcds://h1:2379' }],
    [
      '--store etcd://h1 --etcd-user a:b:c',
      { store: 'etcd://h1:2379', etcd: { user: 'a', password: 'b:c' } },
    ],
    ['--datapath ovs', { datapath: 'ovs' }],
    ['10.0.0.2 host3:6783', { peers: ['10.0.0.2', 'host3:6783'] }],
    ['--store etcd://h1 host3', { store: 'etcd://h1:2379', peers: ['host3'] }],
    ['--join token@10.0.0.2', { join: 'token@10.0.0.2' }],
    ['--open', { open: true }],
    ['--no-discovery', { discovery: false }],
  ];
  for (const [line, change] of cases) assert.deepEqual(await parse(line), { ...defaults, ...change }, line);
});

test('the environment', async () => {
  const cases: [env: NodeJS.ProcessEnv, change: Partial<LaunchConfig>][] = [
    [{ DOCKER_HOST: 'tcp://10.0.0.9' }, { engine: 'tcp://10.0.0.9:2375' }],
    [{ DOCKER_HOST: 'tcp://engine.example.org:99' }, { engine: 'tcp://engine.example.org:99' }],
    [{ DOCKER_HOST: 'localhost' }, { engine: 'tcp://localhost:2375' }],
    [{ DOCKER_HOST: 'unix:///var/run/weave/weave.sock' }, {}],
    [
      { DOCKER_HOST: 'unix:///var/run/weave/weave.sock', ORIG_DOCKER_HOST: 'unix:///run/d.sock' },
      { engine: 'unix:///run/d.sock' },
    ],
    [{ DOCKER_BRIDGE: 'br7' }, { dockerBridge: 'br7' }],
    [{ WEAVE_MTU: '8916' }, { mtu: 8916 }],
    [{ WEAVE_STORE: 'etcd://h1:2379' }, { store: 'etcd://h1:2379' }],
    [
      { WEAVE_STORE: 'etcds://h1', ETCDCTL_USER: 'a', ETCDCTL_PASSWORD: 'p' },
      { store: 'etcds://h1:2379', etcd: { user: 'a', password: 'p' } },
    ],
    [{ ETCDCTL_USER: 'a', ETCDCTL_CACERT: '/no/such/file' }, {}],
    [{ WEAVE_STATUS_ADDR: '0.0.0.0:6782' }, { statusAddress: '0.0.0.0:6782' }],
    [{ WEAVE_HTTP_ADDR: '127.0.0.1:6784' }, { httpAddress: '127.0.0.1:6784' }],
    [{ WEAVE_DEBUG: '1' }, { logLevel: 'debug' }],
    [{ WEAVE_PASSWORD: 's3cret' }, { password: 's3cret' }],
    [{ CHECKPOINT_DISABLE: '1', DOCKER_TLS_VERIFY: '1' }, {}],
  ];
  for (const [env, change] of cases) {
    assert.deepEqual(await parse('', env), { ...defaults, ...change }, JSON.stringify(env));
  }
});

test('errors name the flag', async () => {
  const cases: [line: string, message: RegExp, code?: ErrorCode, env?: NodeJS.ProcessEnv][] = [
    ['-H tcp://0.0.0.0:12375', /^-H tcp:\/\/0\.0\.0\.0:12375 .*--allow-insecure-tcp/, 'INSECURE_TCP'],
    ['-H tcp://[::]:12375', /^-H/, 'INSECURE_TCP'],
    ['-H ssh://h', /^-H: 'ssh:\/\/h' is not of the form/],
    ['-H unix://relative', /^-H: /],
    ['-H 10.0.0.1:99999', /^-H: /],
    ['-H tcp://', /^-H: /],
    ['--ipalloc-range 10.32.0.0', /^--ipalloc-range: '10\.32\.0\.0' is not an address in CIDR form/],
    ['--ipalloc-range 10.32.0.1/12', /^--ipalloc-range: .*; the subnet is 10\.32\.0\.0\/12/],
    ['--ipalloc-range 10.32.0.0/31', /^--ipalloc-range: 10\.32\.0\.0\/31 has no usable address/],
    ['--ipalloc-default-subnet 10.2.0.0/16', /^--ipalloc-default-subnet: .* not within the range/],
    ['--dns-domain a..b', /^--dns-domain: /],
    ['--dns-ttl -1', /^--dns-ttl|Not enough arguments following: dns-ttl/],
    ['--dns-ttl 1.5', /^--dns-ttl: '1\.5' is not a number/],
    ['--dns-listen-address x', /^--dns-listen-address: /],
    ['--dns-listen-address 10.0.0.1:x', /^--dns-listen-address: /],
    // The firewall's rules about the name server go by its address.
    ['--dns-listen-address 0.0.0.0', /^--dns-listen-address: .*name one IPv4 address of this host/],
    ['--dns-listen-address 0.0.0.0:53', /^--dns-listen-address: .*'0\.0\.0\.0:53'/],
    ['--dns-listen-address [::]:53', /^--dns-listen-address: /],
    ['--hostname-match (', /^--hostname-match: /],
    ['--name host1', /^--name: 'host1' is not the MAC/],
    ['--name 01:00:00:00:00:01', /^--name: /],
    ['--host h', /^--host: /],
    ['--log-level loud', /^--log-level: 'loud' is not one of debug, info, warning, error/],
    ['--datapath pigeon', /^--datapath: /],
    ['--store redis', /^--store: /],
    ['--store etcd://a@b:1', /^--store: /],
    ['--etcd-user a:b', /^--etcd-… without an etcd has no effect/],
    ['--store etcd://h1 --etcd-user a', /^--etcd-user: no password for a/],
    ['--store etcd://h1 --etcd-cert c', /^--etcd-cert and --etcd-key go together/, 'TLS_CONFIG'],
    ['--store etcd://h1 --etcd-cacert /none', /^--etcd-cacert: cannot read \/none/, 'TLS_CONFIG'],
    ['--trusted-subnets 10.0.0.0', /^--trusted-subnets: /],
    ['--status-addr 6782', /^--status-addr: /],
    ['--http-addr 0.0.0.0:6784', /^--http-addr 0\.0\.0\.0:6784 would let others control/, 'INSECURE_TCP'],
    ['--tlscert /x', /^certificates without --tls or --tlsverify/, 'TLS_CONFIG'],
    ['--tls --tlscert /none/c.pem', /^--tlscert: cannot read \/none\/c\.pem/, 'TLS_CONFIG'],
    ['--tlsverify --tlscacert /none/ca.pem', /^--tlscacert: cannot read/, 'TLS_CONFIG'],
    ['a/b', /^'a\/b' is not a peer/],
    ['--join 10.0.0.2', /^--join takes TOKEN@HOST/],
    ['--join token@a/b', /^'a\/b' is not a peer/],
    ['', /^WEAVE_MTU: 'big' is not a number/, 'USAGE', { WEAVE_MTU: 'big' }],
    ['', /^DOCKER_HOST: 'ssh:\/\/h'/, 'USAGE', { DOCKER_HOST: 'ssh://h' }],
    [
      '',
      /^DOCKER_CERT_PATH: cannot read \/none\/ca\.pem/,
      'TLS_CONFIG',
      { DOCKER_HOST: 'tcp://10.0.0.1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/none' },
    ],
  ];
  for (const [line, message, code = 'USAGE', env] of cases) {
    await assert.rejects(parse(line, env), { code, message }, line);
  }
});

/** A folder with ca.pem, cert.pem and key.pem that fit together, and other.pem, a key that does not. */
async function certificates(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'certs-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-subj', '/CN=test'];
  await runOk(['openssl', 'req', '-x509', ...key, '-keyout', file('key.pem'), '-out', file('cert.pem')]);
  await runOk(['openssl', 'req', '-x509', ...key, '-keyout', file('other.pem'), '-out', file('ca.pem')]);
  await writeFile(file('bad.pem'), 'nonsense');
  return folder;
}

test('TLS', async (t) => {
  const folder = await certificates(t);
  const files = { ca: `${folder}/ca.pem`, cert: `${folder}/cert.pem`, key: `${folder}/key.pem` };
  const flags = `--tlscert ${files.cert} --tlskey ${files.key}`;
  const open = '-H tcp://0.0.0.0:12375';
  const verified = await parse(`${open} --tlsverify --tlscacert ${files.ca} ${flags}`);
  assert.deepEqual(verified.hosts, ['tcp://0.0.0.0:12375']);
  assert.deepEqual(verified.tls, { verify: true, ...files });
  assert.deepEqual((await parse(`--tls ${flags}`)).tls, { verify: false, ...files, ca: undefined });
  const relative = `--tls --tlscert ${path.relative('', files.cert)} --tlskey ${path.relative('', files.key)}`;
  assert.deepEqual((await parse(relative)).tls, { verify: false, ...files, ca: undefined });
  const etcd = `--store etcd://h1 --etcd-cacert ${files.ca} --etcd-cert ${files.cert} --etcd-key ${files.key}`;
  const secured = await parse(etcd);
  assert.equal(secured.store, 'etcds://h1:2379');
  assert.deepEqual(secured.etcd, files);
  const env = { DOCKER_HOST: 'tcp://10.0.0.1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
  const engine = await parse('', env);
  assert.equal(engine.engine, 'tcp://10.0.0.1:2376');
  assert.deepEqual(engine.engineTls, { verify: true, ...files });
  const { DOCKER_TLS_VERIFY: _, ...rest } = env;
  const unverified = await parse('', { ...rest, DOCKER_TLS: '1' });
  assert.equal(unverified.engine, 'tcp://10.0.0.1:2376');
  assert.deepEqual(unverified.engineTls, { verify: false, cert: files.cert, key: files.key, ca: undefined });
  const bare = await parse('', { ...rest, DOCKER_TLS: '1', DOCKER_CERT_PATH: '/none' });
  assert.deepEqual(bare.engineTls, { verify: false, cert: undefined, key: undefined, ca: undefined });
  await assert.rejects(parse(`--tls --tlscert ${files.cert} --tlskey ${folder}/other.pem`), {
    code: 'TLS_CONFIG',
    message: /other\.pem is not the key of the certificate .*cert\.pem$/,
  });
  await assert.rejects(parse(`--tls --tlscert ${folder}/bad.pem --tlskey ${files.key}`), {
    code: 'TLS_CONFIG',
    message: /^--tlscert: .*bad\.pem is not a certificate in PEM/,
  });
  // A file without a certificate would silently be trusted by nobody.
  await assert.rejects(parse(`--tlsverify --tlscacert ${folder}/bad.pem ${flags}`), {
    code: 'TLS_CONFIG',
    message: /^--tlscacert: .*bad\.pem is not a certificate in PEM/,
  });
  await assert.rejects(parse(`--tls --tlscert ${files.cert} --tlskey ${folder}/bad.pem`), {
    code: 'TLS_CONFIG',
    message: /^--tlskey: .*bad\.pem is not a key/,
  });
});
