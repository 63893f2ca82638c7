/** Debian servers with nothing on them but systemd, which installs, starts and reboots there as it does elsewhere. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runOk } from '../../src/lib/exec.ts';
import type { Report } from '../../src/report/report.ts';
import { reaches } from '../cluster/lab.ts';
import { type Host, repository, Underlay, until } from '../support/host.ts';
import { buildPackages } from '../support/install-root.ts';
import { assertPurged } from '../support/purged.ts';
import { SystemdService } from '../support/systemd-service.ts';
import { useHost } from '../support/use-host.ts';

const underlay = await Underlay.create();
const trixie = useHost(await optionsOf('trixie', 1));
const bookworm = useHost(await optionsOf('bookworm', 2));
const hosts = [trixie, bookworm];
const service = (host: Host) => new SystemdService(host);

let out = '';
let deb = '';
before(async () => {
  out = await mkdtemp(join(tmpdir(), 'weavets-packages-'));
  [deb = ''] = await buildPackages(out, 'deb');
});
after(async () => {
  await underlay[Symbol.asyncDispose]();
  await rm(out, { recursive: true, force: true });
});

async function optionsOf(name: string, number: number) {
  const script = join(repository, 'scripts/debian-root.sh');
  const root = (await runOk(['sh', script, `${name}-server`], { deadline: null })).trim();
  return { name, number, underlay, suite: undefined, engine: false, systemd: true, root };
}

/** Fetches packages by this machine's network; what they start has the host's. */
async function apt(on: Host, ...words: string[]): Promise<void> {
  const env = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND=noninteractive'];
  const entering = ['-t', String(on.pid), '-m', '-p', '-u', '--'];
  const flags = ['-y', '-qq', '-o', 'DPkg::Options::=--force-unsafe-io'];
  await runOk(['nsenter', ...entering, ...env, 'apt-get', ...flags, ...words], { deadline: null });
}

/** As users type it; it must succeed. */
const weavets = (on: Host, ...words: string[]) => on.runOk(['weavets', ...words]);

const isWell = (on: Host) =>
  until(`all is well on ${on.name}`, async () => {
    const { stdout } = await on.run(['weavets', 'report']);
    return stdout !== '' && (JSON.parse(stdout) as Report).Conditions.length === 0;
  });

const addressOf = async (on: Host, name: string) =>
  /inet ([\d.]+)/.exec((await on.tryDocker('exec', name, 'ip', '-4', 'addr', 'show', 'ethwe')).stdout)?.[1];

for (const host of hosts)
  test(`${host.name}: apt-get install ./weavets.deb && weavets launch, and the transcript`, async () => {
    await copyFile('/etc/resolv.conf', host.path('/etc/resolv.conf'));
    await copyFile(deb, host.path('/root/weavets.deb'));
    await apt(host, 'update');
    const engine = host === bookworm ? ['docker.io'] : ['docker.io', 'docker-cli'];
    await apt(host, 'install', '--no-install-recommends', ...engine);
    // What it recommends by name: what these recommend has a kernel among it, which no server lacks but this one.
    const recommended = ['etcd-server', 'etcd-client', 'wireguard-tools', 'wireguard-go'];
    await apt(host, 'install', '--no-install-recommends', '/root/weavets.deb', ...recommended);
    const importer = join(repository, 'scripts/import-busybox.sh');
    await runOk(['sh', importer, `unix://${host.socketPath('engine')}`], { deadline: null });
    await weavets(host, 'launch');
    const typed = await host.shell(`set -e
      eval $(weavets env)
      docker run --name bbox1 -itd busybox; docker run --name bbox2 -itd busybox
      docker exec bbox1 hostname; docker exec bbox1 ping -c 1 bbox2
      docker rm -f bbox1 bbox2`);
    assert.match(typed.stdout, /^bbox1\.weave\.local$[\s\S]* 0% packet loss/m, typed.stderr);
    const { code, stdout } = await host.run(['weavets', 'doctor']);
    assert.equal(code, 0, stdout);
    await weavets(host, 'stop');
  });

test('as services they are one cluster, its etcd a unit', async () => {
  for (const host of hosts) await service(host).systemctl('enable', '--now', 'weavets');
  const token = /launch --join (\S+)/.exec(await weavets(trixie, 'cluster', 'init'))?.[1] ?? '';
  await weavets(bookworm, 'cluster', 'join', token);
  for (const host of hosts)
    await host.proxied('run', '--name', `on-${host.name}`, '--restart', 'always', '-itd', 'busybox');
  for (const host of hosts) await service(host).systemctl('restart', 'weavets');
  await reaches(trixie, 'on-trixie', 'on-bookworm');
  await reaches(bookworm, 'on-bookworm', 'on-trixie');
  assert.notEqual(await service(trixie).pidOf('weavets-etcd'), '0');
  for (const host of hosts) await isWell(host);
});

for (const host of hosts.toReversed())
  test(`${host.name}: rebooted, all of it is there again`, async () => {
    const name = `on-${host.name}`;
    const before = await addressOf(host, name);
    assert.ok(before);
    await host.reboot();
    await until('weavets is up', async () => (await service(host).stateOf('weavets')) === 'active');
    await until('the container has its address', async () => (await addressOf(host, name)) === before);
    await reaches(trixie, 'on-trixie', 'on-bookworm');
    await reaches(bookworm, 'on-bookworm', 'on-trixie');
    assert.match(await host.proxied('run', '--rm', 'busybox', 'ip', 'addr', 'show', 'ethwe'), /inet 10\./);
    for (const each of hosts) await isWell(each);
  });

test('Debian 12, whose etcd is too old to be a member beside that of Debian 13, has gone without', async () => {
  const { hosts: rows } = JSON.parse(await weavets(trixie, 'cluster', 'status', '--json'));
  const roles = (rows as { nickname: string; etcd: { role: string } | null }[]).map(
    ({ nickname, etcd }) => `${nickname} ${etcd?.role}`,
  );
  assert.deepEqual(roles.sort(), ['bookworm undefined', 'trixie leader']);
});

for (const host of hosts)
  test(`${host.name}: purged, containers go on, and nothing else of it is left`, async () => {
    await host.runOk(['apt-get', 'purge', '-y', '-qq', 'weavets']);
    await assertPurged(host, host, [`on-${host.name}`]);
    assert.equal(await service(host).known(), '');
  });
