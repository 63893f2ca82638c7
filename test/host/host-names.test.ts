import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until, weavets } from '../support/host.ts';
import { SystemResolver } from '../support/resolver.ts';
import { useHost } from '../support/use-host.ts';

let resolver: SystemResolver;
const host = useHost({
  prepare: async () => {
    resolver = await SystemResolver.start(host);
    await launch();
    await host.proxied('run', '-d', '--name', 'web', 'busybox', 'sh', '-c', page);
  },
});
const page = 'mkdir /www && echo it works > /www/index.html && exec httpd -f -h /www';

/** As on a host that has the resolver installed. */
const run = (...args: string[]) => host.run([weavets, ...args], { env: resolver.env });
async function launch(...flags: string[]): Promise<string> {
  const { code, stderr } = await run('launch', ...flags);
  assert.equal(code, 0, stderr);
  return stderr;
}
const curl = (name: string) =>
  host.run(['curl', '-sS', '--max-time', '10', `http://${name}/`], { env: resolver.env });
const works = (name: string) =>
  until(`the host reaches ${name}`, async () => (await curl(name)).stdout === 'it works\n');
const isUnknown = (name: string) =>
  until(`the host knows no ${name}`, async () => /Could not resolve/.test((await curl(name)).stderr));
const domains = async () => (await resolver.resolvectl('domain', 'weave')).stdout;
const hostsFile = () => host.runOk(['cat', '/etc/hosts']);
const report = async () => JSON.parse((await run('report')).stdout);

test('weavets expose gives the host the names, by systemd-resolved', async () => {
  await isUnknown('web.weave.local');
  const { code, stdout, stderr } = await run('expose');
  assert.deepEqual([code, stderr], [0, '']);
  await works('web.weave.local');
  // With nss-mdns before DNS: it is asked, and leaves the name to the resolver.
  const libraries = { ...resolver.env, LD_DEBUG: 'libs' };
  const asked = await host.run(['getent', 'ahostsv4', 'web.weave.local'], { env: libraries });
  assert.match(asked.stderr, /calling init: \S+libnss_mdns4_minimal\.so/);
  assert.match(asked.stdout, /^10\.32\.0\.1 /);
  assert.match(await domains(), /: ~weave\.local$/m);
  assert.match((await resolver.resolvectl('default-route', 'weave')).stdout, /: no$/m);
  assert.match((await resolver.resolvectl('mdns', 'weave')).stdout, /: no$/m);
  const { Host } = await report();
  assert.deepEqual(Host, { Exposed: [`${stdout.trim()}/12`], NamesBy: 'systemd-resolved', Advice: null });
  assert.equal(await resolver.lookUp('web.host1.host.weave.local'), '10.32.0.1');
  assert.equal(await resolver.lookUp('host1.host.weave.local'), stdout.trim());
  // It is asked for our domain only, and what is not there is told at once.
  await isUnknown('nobody.weave.local');
});

test('the names are back after a restart of systemd-resolved, and of weavets', async () => {
  // Held back meanwhile, weavets is not the quicker one.
  const { stdout: pid } = await host.run(['pgrep', '-f', 'daemon/main.js']);
  await host.runOk(['kill', '-STOP', pid.trim()]);
  await resolver.stopResolved();
  await resolver.startResolved();
  assert.doesNotMatch(await domains(), /weave\.local/);
  await host.runOk(['kill', '-CONT', pid.trim()]);
  await works('web.weave.local');
  await run('stop');
  assert.doesNotMatch(await domains(), /weave\.local/);
  await launch();
  await works('web.weave.local');
  await run('hide');
  assert.doesNotMatch(await domains(), /weave\.local/);
  await isUnknown('web.weave.local');
});

test('without systemd-resolved, expose says what to type', async () => {
  await resolver.stopResolved();
  await host.shell("echo 'nameserver 10.250.0.254' > /etc/resolv.conf");
  const { stdout } = await run('expose', '--json');
  const { note } = JSON.parse(stdout);
  assert.match(
    note,
    /^systemd-resolved does not run.*weavets expose --hosts-file.*'nameserver 169\.254\.77\.53'/,
  );
  // That is true.
  await host.shell("sed -i '1i nameserver 169.254.77.53' /etc/resolv.conf");
  await works('web.weave.local');
  await host.shell('sed -i 1d /etc/resolv.conf');
  await run('hide');
});

test('with --hosts-file names are kept in /etc/hosts, and everything else stays byte for byte', async () => {
  const original = `${await hostsFile()}192.0.2.1 mine # no end`;
  await host.shell('cat > /etc/hosts', { input: original });
  await run('expose', '--hosts-file');
  await works('web.weave.local');
  await host.docker('rename', 'web', 'shop');
  await works('shop.weave.local');
  assert.ok((await hostsFile()).startsWith(original));
  // Another program may put a new file there.
  await host.shell('cat > /etc/hosts.new && mv /etc/hosts.new /etc/hosts', { input: original });
  await works('shop.weave.local');
  await run('stop');
  assert.equal(await hostsFile(), original);
  await launch();
  await works('shop.weave.local');
  await run('hide');
  assert.equal(await hostsFile(), original);
  await host.docker('rename', 'shop', 'web');
});

test('launch --expose --hosts-file does it from the start; reset undoes it after a kill', async () => {
  await run('stop');
  const original = await hostsFile();
  const pid = (await host.runOk([weavets, 'launch', '--expose', '--hosts-file'])).trim();
  await works('web.weave.local');
  await host.runOk(['kill', '-9', pid]);
  assert.notEqual(await hostsFile(), original);
  await run('reset');
  assert.equal(await hostsFile(), original);
  assert.match((await run('launch', '--hosts-file')).stderr, /--hosts-file goes with --expose/);
});
