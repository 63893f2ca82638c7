/** Hosts that become a cluster with an etcd of weavets' own: by a token, by a password, in any order. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ClusterStatus } from '../../src/control/contract.ts';
import { type Host, until } from '../support/host.ts';
import {
  crash,
  daemonOf,
  known,
  Lab,
  launch,
  lookup,
  reaches,
  refused,
  reportOf,
  start,
  weavets,
} from './lab.ts';

let lab: Lab;
const host = (number: number) => lab.host(number);

before(async () => {
  lab = await Lab.create();
});
after(() => lab?.[Symbol.asyncDispose]());

/** As a host tells it; while etcd elects a leader it may have to be asked again. */
async function statusOf(on: Host): Promise<ClusterStatus> {
  let status: ClusterStatus | undefined;
  await until(`${on.name} tells of its cluster`, async () => {
    const { code, stdout } = await on.weavets('cluster', 'status', '--json');
    if (code === 0) status = JSON.parse(stdout) as ClusterStatus;
    return code === 0;
  });
  return status as ClusterStatus;
}

/** Waits until etcd is this on the hosts, as one of them tells: `learner voter`, sorted. */
async function settled(on: Host, wanted: string): Promise<void> {
  let last = '';
  await until(
    `the members are ${wanted}`,
    async () => {
      const { hosts } = await statusOf(on);
      last = hosts
        .map(({ etcd }) => (etcd?.role === 'leader' ? 'voter' : `${etcd?.role}`))
        .sort()
        .join(' ');
      return last === wanted;
    },
    120_000,
  ).catch((error: Error) => assert.fail(`${error.message}; they are ${last}`));
}

const startedAt = (on: Host, container: string) =>
  on.docker('inspect', '-f', '{{.State.StartedAt}} {{.RestartCount}} {{.State.Pid}}', container);

/** Ends weavets on a host, and all that it keeps. */
const reset = (on: Host) => weavets(on, 'reset');

/** Ends the etcd of a host, which a daemon's end does not. */
const killEtcd = (on: Host) => on.shell('kill -9 $(pgrep -x etcd)');

let token = '';

test('a host with containers becomes a cluster, and nothing that runs notices', async () => {
  await launch(host(1));
  const addresses = [await start(host(1), 'a1'), await start(host(1), 'a2')];
  assert.deepEqual(addresses, ['10.32.0.1', '10.32.0.2']);
  const before = [await startedAt(host(1), 'a1'), await startedAt(host(1), 'a2')];
  const pid = await daemonOf(host(1));
  // A client that hangs on the proxy all the while.
  const attached = host(1).spawn(['docker', '-H', host(1).proxySocket, 'exec', '-i', 'a1', 'cat']);
  let echoed = '';
  attached.stdout?.on('data', (text) => {
    echoed += text;
  });
  attached.stdin?.write('before\n');
  await until('the client is attached', () => echoed === 'before\n');

  const line = await weavets(host(1), 'cluster', 'init', '--voters', '3');
  token = /^weavets launch --join (WVTS-1-\S+)@10\.250\.0\.1$/.exec(line)?.[1] ?? assert.fail(line);
  attached.stdin?.write('after\n');
  await until('the client goes on', () => echoed === 'before\nafter\n');
  attached.stdin?.end();
  assert.deepEqual([await startedAt(host(1), 'a1'), await startedAt(host(1), 'a2')], before);
  assert.equal(await daemonOf(host(1)), pid, 'the daemon was started anew');
  assert.equal(await lookup(host(1), 'a2'), '10.32.0.2');
  await reaches(host(1), 'a1', 'a2');
  await refused(host(1), ['cluster', 'init'], /part of a cluster already/);
});

test('a host without a valid token is refused with the reason, and runs nothing', async () => {
  await refused(
    host(2),
    ['launch', '10.250.0.1'],
    /must show that it may: --password.*--join TOKEN@10\.250\.0\.1.*--open/,
  );
  await refused(host(2), ['launch', '--join', 'WVTS@10.250.0.1'], /no token of a cluster/);
  const wrong = `${token.slice(0, -25)}${'0'.repeat(25)}`;
  await refused(host(2), ['launch', '--join', `${wrong}@10.250.0.1`], /JOIN_REFUSED|the token is wrong/);
  const foreign = token.replace(/^WVTS-1-\w{50}/, `WVTS-1-${'0'.repeat(50)}`);
  await refused(
    host(2),
    ['launch', '--join', `${foreign}@10.250.0.1`],
    /not of the cluster that made this token/,
  );
  await refused(
    host(2),
    ['launch', '--join', `${token}@10.250.0.9`],
    /cannot join by way of 10\.250\.0\.9:6783/,
  );
  await refused(host(2), ['launch', '--password', 'x', '10.250.0.1'], /has no password; join it by a token/);
  await refused(host(2), ['launch', '--open', '10.250.0.1'], /not open/);
  await refused(host(2), ['status'], /NOT_RUNNING/);
  // One of our own, revoked.
  const short = (await weavets(host(1), 'cluster', 'token', '--ttl', '5m')).split(' ').at(-1) ?? '';
  await weavets(host(1), 'cluster', 'token', '--revoke', short);
  await refused(host(2), ['launch', '--join', short], /revoked/);
});

test('with the printed line two more hosts join', async () => {
  for (const number of [2, 3]) {
    const began = performance.now();
    await host(number).shell(`echo '${token}@10.250.0.1' > /root/token`);
    await launch(host(number), '--join-file', '/root/token');
    await start(host(number), `b${number}`);
    await until('the name is known', async () => (await lookup(host(number), 'a1')) !== '');
    await reaches(host(number), `b${number}`, 'a1');
    console.log(`join to the first ping by name: ${Math.round(performance.now() - began)} ms`);
  }
  await reaches(host(1), 'a2', 'b3');
  await reaches(host(2), 'b2', 'b3');
  // The cluster's etcd is on all of them.
  for (const number of [1, 2]) await settled(host(number), 'voter voter voter');
  const text = await weavets(host(2), 'cluster', 'status');
  assert.match(text, /host2 \* +10\.250\.0\.2 +ready +(leader|voter) /);
  assert.match(text, /Joining: by token or password/);
  // Given again, as scripts do.
  await weavets(host(3), 'stop');
  await launch(host(3), '--join', `${token}@10.250.0.1`);
  await weavets(host(1), 'cluster', 'token', '--revoke-all');
});

test('a daemon that is launched again is part of the cluster, without flags', async () => {
  await crash(host(2));
  await launch(host(2));
  await weavets(host(1), 'stop');
  await launch(host(1));
  const address = await start(host(1), 'a4');
  await known([host(1), host(2), host(3)], 'a4', address);
  await reaches(host(2), 'b2', 'a4');
});

test('targets are hosts, as they were named', async () => {
  await weavets(host(2), 'connect', '10.250.0.1', 'host9:6783');
  assert.equal(await weavets(host(2), 'status', 'targets'), '10.250.0.1\nhost9');
  await weavets(host(2), 'forget', 'host9');
  assert.deepEqual((await reportOf(host(2))).Router.Targets, ['10.250.0.1']);
  await weavets(host(2), 'connect', '--replace');
  assert.equal((await reportOf(host(2))).Router.Targets, null);
});

test('a host leaves, and its addresses are free', async () => {
  await weavets(host(3), 'cluster', 'leave');
  await known([host(1), host(2)], 'b3', '');
  await until('two are left', async () => (await statusOf(host(1))).hosts.length === 2);
  // The members change meanwhile.
  await until('a backup is made', async () => {
    return (await host(1).weavets('cluster', 'backup', '/root/backup')).code === 0;
  });
  assert.ok(Number(await host(1).runOk(['stat', '-c', '%s', '/root/backup'])) > 1000);
  // Alone again, nothing leads to the others any more.
  await launch(host(3));
  assert.doesNotMatch(await host(3).runOk(['ip', '-o', 'link']), /vxlan/);
  assert.equal(await host(3).runOk(['ip', 'neigh', 'show', 'dev', 'weave', 'nud', 'permanent']), '');
  await weavets(host(3), 'stop');
});

test('either of two hosts may go: the other starts, names and reaches its containers', async () => {
  await settled(host(1), 'learner voter');
  // The one that learns cannot do without the other; it goes on with its own.
  const first = (await statusOf(host(1))).hosts.find(({ etcd }) => etcd?.role === 'leader');
  const [voter, learner] = first?.nickname === 'host1' ? [1, 2] : [2, 1];
  await crash(host(voter));
  await killEtcd(host(voter));
  const address = await start(host(learner), 'alone');
  assert.equal(await lookup(host(learner), 'alone'), address);
  await start(host(learner), 'alone2');
  await reaches(host(learner), 'alone2', 'alone');
  await launch(host(voter));
  await known([host(voter), host(learner)], 'alone', address);
  // And the other way about.
  await crash(host(learner));
  await killEtcd(host(learner));
  const other = await start(host(voter), 'other');
  assert.equal(await lookup(host(voter), 'other'), other);
  await launch(host(learner));
  await known([host(1), host(2)], 'other', other);
});

test('hosts with one password find each other, whatever order they are launched in', async () => {
  for (const number of [1, 2, 3]) {
    await reset(host(number));
    const names = (await host(number).docker('ps', '-aq')).split('\n').filter((id) => id !== '');
    if (names.length > 0) await host(number).docker('rm', '-f', ...names);
  }
  const flags = ['--password', 'correct horse'];
  const began = performance.now();
  // Nobody is there yet whom it names.
  await launch(host(2), ...flags, '10.250.0.1', '10.250.0.2', '10.250.0.3');
  assert.match(
    (await host(2).weavets('status')).stdout,
    /Warning: this host looks for its cluster by way of 10\.250\.0\.1/,
  );
  const { code, stderr } = await host(2).tryProxied('run', '--rm', 'busybox', 'true');
  assert.notEqual(code, 0);
  assert.match(stderr, /looks for its cluster/);
  await refused(host(3), ['launch', '--password', 'wrong', '10.250.0.2'], /another password/);
  await Promise.all([1, 3].map((number) => launch(host(number), ...flags, '10.250.0.2')));
  for (const number of [1, 2, 3]) {
    await weavets(host(number), 'prime');
    await start(host(number), `c${number}`);
  }
  await reaches(host(1), 'c1', 'c2');
  console.log(`three at once to the first ping by name: ${Math.round(performance.now() - began)} ms`);
  await reaches(host(2), 'c2', 'c3');
  await reaches(host(3), 'c3', 'c1');
  assert.equal((await statusOf(host(3))).encrypted, true);
});

test('a host that is alone becomes a cluster when the first other asks', async () => {
  await reset(host(2));
  await reset(host(3));
  await host(2).docker('rm', '-f', 'c2');
  await host(3).docker('rm', '-f', 'c3');
  await launch(host(2), '--open', '--no-discovery');
  assert.match((await host(2).weavets('status')).stdout, /every machine .* may join/);
  await start(host(2), 'd2');
  const began = performance.now();
  await launch(host(3), '--open', '10.250.0.2');
  await start(host(3), 'd3');
  await reaches(host(3), 'd3', 'd2');
  console.log(`launch HOST to the first ping by name: ${Math.round(performance.now() - began)} ms`);
  // Everyone may join but containers: to another host they would have this one's address.
  const knock = (address: string) => host(3).run(['docker', 'exec', 'd3', 'nc', '-w', '5', address, '6783']);
  for (const address of ['10.250.0.2', '10.250.0.3', '172.17.0.1'])
    assert.match((await knock(address)).stderr, /refused|unreachable|timed out/i, address);
  await host(3).runOk(['bash', '-c', 'exec 3<>/dev/tcp/10.250.0.2/6783']);
  // Of another cluster with another password: refused.
  await refused(host(3), ['cluster', 'join', 'x@10.250.0.1'], /no token of a cluster/);
});
