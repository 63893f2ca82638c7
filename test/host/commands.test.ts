import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ prepare: () => prints(/^\d+\n$/, 'launch') });

/** The command succeeds, says nothing on standard error, and prints this. @returns what it printed */
async function prints(expected: string | RegExp, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await host.weavets(...argv);
  assert.deepEqual([code, stderr], [0, ''], argv.join(' '));
  if (typeof expected === 'string') assert.equal(stdout, expected, argv.join(' '));
  else assert.match(stdout, expected, argv.join(' '));
  return stdout;
}

/** The command fails with exit code 1, prints nothing, and says this. */
async function fails(expected: RegExp, ...argv: string[]): Promise<void> {
  const { code, stdout, stderr } = await host.weavets(...argv);
  assert.deepEqual([code, stdout], [1, ''], argv.join(' '));
  assert.match(stderr, expected, argv.join(' '));
}

/** Starts a container without the proxy. @returns its id */
const plain = (name: string, ...flags: string[]) =>
  host.docker(
    'run',
    '-d',
    '--name',
    name,
    '--hostname',
    `${name}.weave.local`,
    ...flags,
    'busybox',
    'sleep',
    '100000',
  );
const inside = (name: string, ...argv: string[]) => host.docker('exec', name, ...argv);
const relaunch = async () => {
  await prints('', 'stop');
  await prints(/^\d+\n$/, 'launch');
};
const mac = '([0-9a-f]{2}:){5}[0-9a-f]{2}';

test('attach and detach print addresses; several add up; with the last one ethwe goes', async () => {
  const id = await plain('c1');
  await prints('', 'ps', 'c1');
  await prints('10.32.0.1\n', 'attach', 'c1');
  await prints('10.32.0.1\n', 'attach', 'c1');
  await prints('10.2.1.1 10.32.4.1\n', 'attach', '10.2.1.1/24', 'net:10.32.4.0/24', 'c1');
  await prints('10.2.1.2\n', 'attach', 'ip:10.2.1.2/24', id.slice(0, 12));
  const all = '10.32.0.1/12 10.2.1.1/24 10.32.4.1/24 10.2.1.2/24';
  await prints(new RegExp(`^c1 ${mac} ${all}\\n$`), 'ps', 'c1');
  for (const cidr of all.split(' '))
    assert.ok((await inside('c1', 'ip', 'addr', 'show', 'ethwe')).includes(cidr));
  await prints('10.32.0.1\n10.2.1.1\n10.32.4.1\n10.2.1.2\n', 'dns-lookup', 'c1');
  // One that its user has taken away is gone already.
  const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'c1');
  await host.runOk(['nsenter', '-t', pid, '-n', 'ip', 'addr', 'del', '10.2.1.1/24', 'dev', 'ethwe']);
  await prints('10.2.1.1\n', 'detach', '10.2.1.1/24', 'c1');
  await prints('10.32.4.1 10.2.1.2\n', 'detach', 'net:10.32.4.0/24', 'net:10.2.1.0/24', 'c1');
  await prints('10.32.0.1\n', 'dns-lookup', 'c1');
  // One subnet, however often and in whatever words it is asked for, is one address.
  const same = ['net:default', 'net:10.32.0.0/12', 'net:10.32.6.0/24', 'net:10.32.6.0/24'];
  await prints('10.32.0.1 10.32.6.1\n', 'attach', ...same, 'c1');
  await prints(new RegExp(`^c1 ${mac} 10\\.32\\.0\\.1/12 10\\.32\\.6\\.1/24\\n$`), 'ps', 'c1');
  await prints('10.32.6.1\n', 'detach', 'net:10.32.6.0/24', 'net:10.32.6.0/24', 'c1');
  await prints('10.32.0.1\n', 'detach', 'c1');
  await prints('', 'detach', 'c1');
  await prints('', 'ps', 'c1');
  await prints('', 'dns-lookup', 'c1');
  assert.doesNotMatch(await inside('c1', 'ip', 'link'), /ethwe/);
});

test("Weave Net's scripts are taken as they are typed", async () => {
  const [dns, search] = (await host.weavets('dns-args')).stdout.trim().split(' ');
  assert.match(`${dns} ${search}`, /^--dns=\S+ --dns-search=weave\.local\.$/);
  await prints(
    `${dns} ${search}\n`,
    'dns-args',
    '--name',
    'x',
    '10.2.1.1/24',
    '-v',
    '/a:/b',
    '--rm',
    'busybox',
  );
  // Outside the range addresses are unmanaged, so none is special.
  await prints('10.2.1.0\n', 'attach', '10.2.1.0/24', 'c1');
  await prints(
    new RegExp(`^c1 ${mac} 10\\.2\\.1\\.0/24\\nc1 ${mac} 10\\.2\\.1\\.0/24\\n$`),
    'ps',
    'c1',
    'c1',
  );
  await prints('10.2.1.0\n', 'detach', '10.2.1.0/24', 'c1');
});

test('attach: what is impossible exits with 1, and changes nothing', async () => {
  await plain('c2');
  await prints('10.32.9.9\n', 'attach', '10.32.9.9/24', 'c2');
  await fails(
    /10\.32\.9\.9 is already in use by container .*\(IPAM_CONFLICT\)/,
    'attach',
    '10.32.9.9/24',
    'c1',
  );
  await prints('10.32.3.1\n', 'attach', 'net:10.32.3.0/30', 'c2');
  await prints('10.32.3.2\n', 'expose', 'net:10.32.3.0/30');
  await fails(/no free address in 10\.32\.3\.0\/30.*\(IPAM_FULL\)/, 'attach', 'net:10.32.3.0/30', 'c1');
  await fails(/the subnet is 10\.32\.3\.0\/30.*\(BAD_WEAVE_CIDR\)/, 'attach', 'net:10.32.3.2/30', 'c1');
  await fails(/\(BAD_ADDRESS\)/, 'attach', 'net:10.2.3.0/30', 'c1');
  for (const address of [
    '0.0.0.0/0',
    '0.0.0.0/8',
    '0.1.2.3/8',
    '127.0.0.5/8',
    '224.1.1.1/24',
    '255.255.255.255/32',
    '10.9.0.1/0',
  ])
    await fails(/cannot use .*\(BAD_WEAVE_CIDR\)/, 'attach', address, 'c1');
  await fails(/no container is called nobody.*\(NO_SUCH_CONTAINER\)/, 'attach', 'nobody');
  await fails(/no container is called nobody/, 'ps', 'nobody');
  await host.docker('run', '-d', '--name', 'shares', '--net', 'host', 'busybox', 'sleep', '100000');
  await fails(/shares the network of another \(host\).*\(NOT_ATTACHABLE\)/, 'attach', 'shares');
  await host.docker('create', '--name', 'idle', 'busybox', 'true');
  await fails(/container idle does not run; start it first/, 'attach', 'idle');
  await prints('', 'ps', 'c1');
  await prints('10.32.3.2\n', 'hide', 'net:10.32.3.0/30');
});

test('the flags of attach survive restarts of the daemon and the container', async () => {
  await plain('c3');
  const flags = ['--rewrite-hosts', '--add-host', 'db:10.9.9.9', '--no-multicast-route', '--without-dns'];
  await prints('10.32.5.1\n', 'attach', ...flags, '10.32.5.1/24', 'c3');
  const asAsked = async () => {
    assert.match(
      await inside('c3', 'cat', '/etc/hosts'),
      /^10\.9\.9\.9\tdb\n10\.32\.5\.1\tc3\.weave\.local c3$/m,
    );
    const routes = await inside('c3', 'ip', 'route');
    assert.match(routes, /10\.32\.5\.0\/24 dev ethwe/);
    assert.doesNotMatch(routes, /224\.0\.0\.0/);
    await prints('', 'dns-lookup', 'c3');
  };
  await asAsked();
  await relaunch();
  await asAsked();
  await host.docker('restart', '-t', '0', 'c3');
  // It is in the list as soon as it is being attached.
  let lack: unknown;
  const isAsAsked = () =>
    asAsked().then(
      () => true,
      (error: unknown) => {
        lack = error;
        return false;
      },
    );
  await until('it is attached again', isAsAsked).catch(() => {
    throw lack;
  });
  await plain('c4');
  await prints('10.32.5.2\n', 'attach', '10.32.5.2/24', 'c4');
  assert.match(await inside('c4', 'ip', 'route'), /224\.0\.0\.0\/4 dev ethwe/);
  assert.doesNotMatch(await inside('c4', 'cat', '/etc/hosts'), /10\.32\.5\.2/);
});

test('expose and hide', async () => {
  const address = (await prints(/^10\.32\.0\.\d+\n$/, 'expose')).trim();
  await prints(`${address}\n`, 'expose');
  await prints('10.2.7.1 10.32.7.1\n', 'expose', '10.2.7.1/24', 'net:10.32.7.0/24', '-h', 'me.weave.local');
  const all = `${address}/12 10.2.7.1/24 10.32.7.1/24`;
  await prints(new RegExp(`^weave:expose ${mac} ${all}\\n$`), 'ps', 'weave:expose');
  await prints('10.2.7.1\n10.32.7.1\n', 'dns-lookup', 'me');
  const nat = () => host.runOk(['iptables-save', '-t', 'nat']);
  assert.match(await nat(), /10\.2\.7\.0\/24.*MASQUERADE/);
  await relaunch();
  await prints(new RegExp(`^weave:expose ${mac} .*10\\.2\\.7\\.1/24`), 'ps');
  await prints('10.2.7.1\n10.32.7.1\n', 'dns-lookup', 'me');
  await prints('10.2.7.1\n', 'hide', '10.2.7.1/24');
  await prints('10.32.7.1\n', 'dns-lookup', 'me');
  // A second address of the subnet stays when the first one goes.
  await prints('10.32.7.9\n', 'expose', '10.32.7.9/24');
  await prints('10.32.7.1\n', 'hide', '10.32.7.1/24');
  assert.match(await host.runOk(['ip', 'addr', 'show', 'weave']), /10\.32\.7\.9\/24/);
  await prints(`${address} 10.32.7.9\n`, 'hide', 'net:10.32.7.0/24', 'net:default');
  await prints('10.2.8.1\n', 'expose', '--without-masquerade', '10.2.8.1/24');
  assert.doesNotMatch(await nat(), /10\.2\.8\.0/);
  await prints('10.2.8.1\n', 'hide', '10.2.8.1/24');
  await prints('', 'hide', '10.2.8.1/24');
  await prints('', 'hide');
  await prints(new RegExp(`^weave:expose ${mac}\\n$`), 'ps', 'weave:expose');
  await fails(/-h: 'a b' is not a name/, 'expose', '-h', 'a b');
});

test('names by hand: added and removed, and both last while the container runs', async () => {
  const id = await host.proxied('run', '-d', '--name', 'n1', 'busybox', 'sleep', '100000');
  const address = (await prints(/^10\.32\.0\.\d+\n$/, 'dns-lookup', 'n1')).trim();
  await plain('n2');
  await prints('', 'dns-add', 'n1', '-h', 'db.weave.local');
  await prints('', 'dns-add', '10.9.0.1', '10.9.0.2', 'n1', '-h', 'db.example.com');
  await prints('', 'dns-add', '10.9.0.3', 'n2', '-h', 'alien.weave.local');
  await prints('', 'dns-add', '10.9.0.4', '-h', 'printer.weave.local');
  await prints('', 'dns-remove', 'n1', '-h', 'n1.weave.local');
  const asLeft = async () => {
    await prints('', 'dns-lookup', 'n1');
    await prints(`${address}\n`, 'dns-lookup', 'db');
    await prints('10.9.0.1\n10.9.0.2\n', 'dns-lookup', 'db.example.com');
    await prints('10.9.0.3\n', 'dns-lookup', 'alien');
    await prints('10.9.0.4\n', 'dns-lookup', 'printer');
  };
  await asLeft();
  const { stdout } = await host.weavets('status', 'dns');
  assert.match(stdout, new RegExp(`^db +${address} +${id.slice(0, 12)} +${mac}$`, 'm'));
  assert.match(stdout, new RegExp(`^printer +10\\.9\\.0\\.4 +weave:extern +${mac}$`, 'm'));
  await relaunch();
  await asLeft();
  // An address that comes has the hostname; those that went by hand stay away.
  await prints('10.32.6.6\n', 'attach', '10.32.6.6/24', 'n1');
  await prints('10.32.6.6\n', 'dns-lookup', 'n1');
  await prints('10.32.6.6\n', 'detach', '10.32.6.6/24', 'n1');
  await asLeft();
  await prints('', 'dns-remove', '10.9.0.1', 'n1');
  await prints('', 'dns-remove', '10.9.0.4', '-h', 'printer.weave.local');
  await prints('10.9.0.2\n', 'dns-lookup', 'db.example.com');
  await relaunch();
  await prints('10.9.0.2\n', 'dns-lookup', 'db.example.com');
  await prints('', 'dns-lookup', 'printer');
  await prints('', 'dns-remove', 'n1');
  await prints('', 'dns-lookup', 'db');
  await relaunch();
  await prints('', 'dns-lookup', 'db');
  await prints('', 'dns-lookup', 'n1');
  // A new run begins with the hostname alone.
  await host.docker('restart', '-t', '0', 'n1');
  await until(
    'its name is back',
    async () => (await host.weavets('dns-lookup', 'n1')).stdout === `${address}\n`,
  );
  await prints('', 'dns-lookup', 'db');
});

test('names by hand go with their container, even if it ends while no daemon runs', async () => {
  await plain('n3');
  await plain('n4');
  await plain('n5');
  for (const name of ['n3', 'n4', 'n5'])
    await prints('', 'dns-add', '10.9.1.1', name, '-h', `${name}.weave.local`);
  await host.docker('kill', 'n3');
  await until('its name is gone', async () => (await host.weavets('dns-lookup', 'n3')).stdout === '');
  await prints('', 'stop');
  await host.docker('kill', 'n4');
  await host.docker('restart', '-t', '0', 'n5');
  await prints(/^\d+\n$/, 'launch');
  await prints('', 'dns-lookup', 'n4');
  await prints('', 'dns-lookup', 'n5');
  await fails(/n4|does not run/, 'dns-add', '10.9.1.1', 'n4', '-h', 'n4.weave.local');
  await prints('', 'dns-lookup', 'n4');
  await prints('', 'dns-remove', 'n4');
  await fails(/nothing to add/, 'dns-add', 'n5');
  await fails(/no container is called nobody/, 'dns-remove', 'nobody');
  await fails(/-h: 'no name' is not a name/, 'dns-add', '10.9.1.1', '-h', 'no name');
});

test("other names come from the host's servers, as /etc/resolv.conf has them now", async () => {
  await host.proxied('run', '-d', '--name', 'asks', 'busybox', 'sleep', '100000');
  const server = host.spawn([
    ...[
      'dnsmasq',
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--no-resolv',
      '--no-hosts',
      '--user=root',
    ],
    ...[
      '--listen-address=127.0.0.2',
      '--bind-interfaces',
      '--address=/outside.example/192.0.2.7',
      '--pid-file=',
    ],
  ]);
  const asked = (name: string) => host.run(['docker', 'exec', 'asks', 'nslookup', name]);
  // Ourselves (which would be a loop), one that does not answer, and one that does.
  const servers = 'nameserver 172.17.0.1\nnameserver 127.0.0.3\nnameserver 127.0.0.2\n';
  await host.shell(`printf '${servers}' > /etc/resolv.new && mv /etc/resolv.new /etc/resolv.conf`);
  await until('the new servers are asked', async () =>
    (await asked('outside.example')).stdout.includes('192.0.2.7'),
  );
  await prints('[127.0.0.3 127.0.0.2]\n', 'report', '-f', '{{.DNS.Upstream}}');
  assert.match((await host.weavets('status')).stdout, /^ {7}Upstream: 127\.0\.0\.3, 127\.0\.0\.2$/m);
  await host.shell("printf 'nameserver 10.250.0.254\n' > /run/resolv && ln -sf /run/resolv /etc/resolv.conf");
  const upstream = async () => (await host.weavets('report', '-f', '{{.DNS.Upstream}}')).stdout;
  await until('the link is followed', async () => (await upstream()) === '[10.250.0.254]\n');
  assert.match((await asked('asks')).stdout, /Address.*: 10\.32\.0\.\d+$/m);
  server.kill();
});

test('what scripts ask of the network: dns-args, docker-bridge-ip, prime, setup, report, version', async () => {
  const bridge = (await prints(/^172\.17\.0\.1\n$/, 'docker-bridge-ip')).trim();
  await prints(`--dns=${bridge} --dns-search=weave.local.\n`, 'dns-args');
  await prints('', 'prime');
  assert.deepEqual(await host.weavets('setup'), { code: 0, stdout: '', stderr: 'all tools are installed\n' });
  const version = (await prints(/^weavets \d+\.\d+\.\d+\n$/, 'version')).trim().replace('weavets ', '');
  await prints(`${version}\n`, 'report', '-f', '{{.Version}}');
  await prints(`${version}\n`, 'report', '--format={{.Version}}');
  await prints(
    '10.32.0.0/12 1048576 true\n',
    'report',
    '-f',
    '{{.IPAM.Range}} {{.IPAM.RangeNumIPs}} {{.Ready}}',
  );
  const report = JSON.parse((await host.weavets('report')).stdout);
  const dns = JSON.parse((await host.weavets('report', '-f', '{{json .DNS}}')).stdout);
  assert.deepEqual(dns, report.DNS);
  await prints('host1 ;\n', 'report', '-f', '{{range .Router.Peers}}{{.NickName}} {{end}};');
  await prints('-H=unix:///var/run/weave/weave.sock\n', 'config');
});

test('status and its parts', async () => {
  const [before] = (await host.weavets('status')).stdout.split('\n\n');
  assert.match(before ?? '', /^ {8}Version: \d+\.\d+\.\d+$/);
  const { stdout } = await host.weavets('status');
  const entries = (await host.weavets('report', '-f', '{{len .DNS.Entries}}')).stdout.trim();
  for (const line of [
    '        Service: router',
    '     Encryption: disabled',
    '        Targets: 0',
    '    Connections: 0',
    '          Peers: 1',
    ' TrustedSubnets: none',
    '        Service: ipam',
    '         Status: ready',
    '          Range: 10.32.0.0/12',
    '  DefaultSubnet: 10.32.0.0/12',
    '        Service: dns',
    '         Domain: weave.local.',
    '       Upstream: 10.250.0.254',
    '            TTL: 1',
    `        Entries: ${entries}`,
    '        Service: proxy',
    '        Address: unix:///var/run/weave/weave.sock',
  ]) {
    assert.ok(stdout.split('\n').includes(line), line);
  }
  const peer = (await prints(new RegExp(`^${mac}\\(host1\\)\\n$`), 'status', 'peers')).trim();
  assert.ok(stdout.includes(`\n           Name: ${peer}\n`));
  const active = (await host.weavets('report', '-f', '{{.IPAM.ActiveIPs}}')).stdout.trim();
  await prints(`${peer}  1048576 IPs (100.0% of total) (${active} active)\n`, 'status', 'ipam');
  await prints('', 'status', 'targets');
  await prints('', 'status', 'connections');
  await fails(/no status of 'dnss'; did you mean 'dns'\? \(USAGE\)\nusage: weavets status/, 'status', 'dnss');
});

test('peers, on a host that is alone', async () => {
  await fails(/to join 10\.250\.0\.9 this host must show that it may.*\(USAGE\)/, 'connect', '10.250.0.9');
  await fails(/this host uses no etcd/, 'connect', 'etcd://10.250.0.9');
  await prints('', 'connect', '--replace');
  await prints('', 'forget', '10.250.0.9');
  await prints('0 IPs taken over from host9\n', 'rmpeer', 'host9');
  await fails(/no host of the cluster is called host9.*\(USAGE\)/, 'cluster', 'remove', 'host9');
});
