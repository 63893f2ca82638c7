/** Faults of the way between two hosts, what doctor says of each, and what is put right. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { doctor, type Fault, play } from '../support/doctor.ts';
import type { Etcd } from '../support/etcd.ts';
import { Host, Underlay, until } from '../support/host.ts';
import { firstEngine } from '../support/use-host.ts';
import { etcdOn, known, launch, reaches, start, storeOf } from './lab.ts';

let underlay: Underlay;
let one: Host;
let two: Host;
let etcd: Etcd;
/** addresses of the containers web and db, on a host each */
let b: string;

before(async () => {
  underlay = await Underlay.create();
  const { suite } = firstEngine;
  one = new Host({ underlay, number: 1, name: 'host1', suite });
  two = new Host({ underlay, number: 2, name: 'host2', suite });
  await Promise.all([one.start(), two.start()]);
  etcd = await etcdOn(underlay);
  for (const host of [one, two]) await launch(host, '--store', storeOf(etcd));
  const a = await start(one, 'web');
  b = await start(two, 'db');
  await known([one, two], 'web', a);
  await known([one, two], 'db', b);
});
after(async () => {
  for (const host of [one, two]) await host?.[Symbol.asyncDispose]();
  await etcd?.[Symbol.asyncDispose]();
  await underlay?.[Symbol.asyncDispose]();
});

const nft = (text: string) => `nft '${text}'`;
const drop = (hook: string, what: string) =>
  nft(
    `add table inet mine; add chain inet mine c { type filter hook ${hook} priority 10; }; add rule inet mine c ${what} drop`,
  );
const noChain = nft('delete table inet mine');
const faults: Fault[] = [
  {
    fault: 'the link to the other hosts has left the bridge',
    inject: 'ip link set vxlan-6784 nomaster',
    check: 'overlay',
    state: 'healed',
    text: /had been changed/,
  },
  {
    fault: 'the link to the other hosts is deleted',
    inject: 'ip link del vxlan-6784',
    check: 'overlay',
    state: 'healed',
    text: /had been changed/,
  },
  {
    fault: 'an output chain drops frames',
    inject: drop('output', 'udp dport 6784'),
    check: 'outgoing',
    state: 'failed',
    text: /does not let out.*nft insert rule inet mine c/,
    mend: 'typed',
  },
  {
    fault: 'an input chain drops all of the other hosts',
    inject: `${noChain}; ${drop('input', 'udp dport 6783-6784')}`,
    check: 'incoming',
    state: 'failed',
    text: /nothing is heard of host2.*nft insert rule inet mine c/,
    mend: 'typed',
  },
  {
    fault: 'the same on the other host',
    inject: () => two.shell(drop('input', 'udp dport 6783-6784')),
    check: 'peers',
    state: 'failed',
    text: /1 of 1 other hosts do not answer.*host2/,
    mend: () => two.shell(noChain),
  },
  {
    fault: 'the store is away',
    inject: () => etcd.kill('SIGSTOP'),
    check: 'store',
    state: 'failed',
    text: /etcd/,
    mend: () => etcd.kill('SIGCONT'),
  },
];

for (const fault of faults) {
  test(`doctor: ${fault.fault}`, async () => {
    await play(one, fault);
    await reaches(one, 'web', b);
  });
}

test('the path between containers of two hosts: the first step that fails is named', async () => {
  await one.shell(noChain);
  const last = async (on: Host, from: string, to: string) => (await doctor(on, from, to)).checks.at(-1);
  const fails = async (on: Host, [from, to]: [string, string], step: string, text: RegExp) => {
    let said: unknown;
    await until(`${from} to ${to} fails at ${step}`, async () => {
      const verdict = await last(on, from, to);
      said = verdict;
      return verdict?.check === step && verdict.state === 'failed' && text.test(verdict.text);
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it said ${JSON.stringify(said)}`);
    });
  };
  const works = (on: Host, from: string, to: string) =>
    until(`${from} to ${to} is well`, async () => (await doctor(on, from, to)).code === 0);
  await works(one, 'web', 'db');
  await works(one, 'db', 'web');
  await works(one, 'host1', 'host2');

  const { checks } = await doctor(one, 'web', 'db');
  const entry = checks.find(({ check }) => check === 'web: entry');
  assert.match(entry?.text ?? '', /is at 10\.250\.0\.2$/);
  const mac = entry?.text.split(' ')[0] ?? '';
  await one.runOk(['bridge', 'fdb', 'del', mac, 'dev', 'vxlan-6784']);
  await fails(one, ['web', 'db'], 'web: entry', /leads to nowhere instead of 10\.250\.0\.2 \(host2\)/);
  await one.runOk(['bridge', 'fdb', 'add', mac, 'dev', 'vxlan-6784', 'dst', '10.250.0.2', 'self', 'static']);
  await works(one, 'web', 'db');

  const pid = await two.docker('inspect', '-f', '{{.State.Pid}}', 'db');
  await two.runOk(['nsenter', '-n', '-t', pid, 'ip', 'addr', 'flush', 'dev', 'ethwe']);
  await fails(one, ['web', 'db'], 'web: answer', /'weavets doctor db web' on host2 tells more/);
  await fails(two, ['db', 'web'], 'db: ethwe', /docker restart db/);
  await two.docker('restart', '-t', '0', 'db');
  await works(one, 'web', 'db');

  await two.shell(drop('input', 'udp dport 6783-6784'));
  await fails(one, ['web', 'db'], 'web: path', /no answer from 10\.250\.0\.2/);
  await two.shell(noChain);
  await works(one, 'web', 'db');

  await two.weavets('stop');
  await fails(one, ['web', 'host2'], 'web: peer', /weavets does not run on host2/);
  await launch(two, '--store', storeOf(etcd));
  await works(one, 'web', 'db');
});

test('a host policy that lets nothing out: traffic to other hosts still passes', async () => {
  await one.shell(
    'iptables -A OUTPUT -p tcp -j ACCEPT; iptables -A OUTPUT -o lo -j ACCEPT; iptables -P OUTPUT DROP',
  );
  await reaches(one, 'web', b);
  await until('all is well', async () => (await doctor(one)).code === 0);
  await one.shell(
    'iptables -P OUTPUT ACCEPT; iptables -D OUTPUT -p tcp -j ACCEPT; iptables -D OUTPUT -o lo -j ACCEPT',
  );
});

test("checksums are computed here where frames don't pass with those of the card", async () => {
  const leaves = async () => /^tx-checksumming: on/m.test(await one.runOk(['ethtool', '-k', 'vxlan-6784']));
  let broken = true;
  /** As long as host1 leaves checksums to it, none of its frames arrive. */
  const card = async () => {
    while (broken) {
      const there = (await two.run(['nft', 'list', 'table', 'inet', 'mine'])).code === 0;
      const wrong = await leaves();
      if (wrong !== there) await two.shell(wrong ? drop('input', 'udp dport 6784') : noChain);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const breaking = card();
  try {
    await until(
      'doctor says so',
      async () => {
        const { checks } = await doctor(one);
        return checks.some(({ check, state }) => check === 'offload' && state === 'healed');
      },
      240_000,
    );
    assert.equal(await leaves(), false);
    await reaches(one, 'web', b);
  } finally {
    broken = false;
    await breaking;
    await two.shell(noChain);
  }
});

test('rp_filter is loosened where the way back differs, and reset restores it', async () => {
  const filter = async () => (await one.runOk(['cat', '/proc/sys/net/ipv4/conf/eth0/rp_filter'])).trim();
  await one.shell(`sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1
    ip link add alt0 type veth peer name alt1; ip link set alt0 up; ip link set alt1 up
    ip route add 10.250.0.2/32 dev alt0`);
  await until('it is loosened', async () => {
    const { checks } = await doctor(one);
    return checks.some(({ check, state }) => check === 'reverse-path' && state === 'healed');
  });
  assert.equal(await filter(), '2');
  await one.runOk(['ip', 'link', 'del', 'alt0']);
  await reaches(one, 'web', b);
  assert.equal((await one.weavets('reset')).code, 0);
  assert.equal(await filter(), '1');
});
