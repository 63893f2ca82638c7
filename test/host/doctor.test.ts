import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Verdict } from '../../src/model/verdict.ts';
import { doctor, type Fault, play } from '../support/doctor.ts';
import { until } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const prepare = async () => {
  for (const name of ['web', 'db'])
    await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
  await host.proxied('run', '-d', '--net', 'none', '--name', 'alone', 'busybox', 'sleep', '100000');
  assert.equal((await host.weavets('expose')).code, 0);
};
const host = useHost({ launch: [], prepare });

/** In a fault's script: the link of a container on the host. */
const link = 'port=vethwepl$(docker -H unix:///var/run/docker.sock inspect -f "{{.State.Pid}}" web)';
/** A firewall of somebody else's, whose chain drops what it does not know. */
const chain = (hook: string, ...accepts: string[]) => {
  const rules = ['ct state established,related accept', 'iif lo accept', ...accepts].join('; ');
  return `nft 'add table inet mine; add chain inet mine c { type filter hook ${hook} priority 10; policy drop; }
    ${rules
      .split('; ')
      .map((rule) => `add rule inet mine c ${rule}`)
      .join('; ')}'`;
};
const noChain = 'nft delete table inet mine';

const faults: Fault[] = [
  {
    fault: 'the bridge is down',
    inject: 'ip link set weave down',
    check: 'links',
    state: 'healed',
    text: /bridge was down/,
  },
  {
    fault: 'the bridge has gone',
    inject: 'ip link del weave',
    check: 'links',
    state: 'healed',
    text: /bridge had gone/,
  },
  {
    fault: 'the bridge has another MTU',
    inject: 'ip link set weave mtu 1200',
    check: 'links',
    state: 'healed',
    text: /MTU was 1200/,
  },
  {
    fault: 'the bridge has another MAC',
    inject: 'ip link set weave address 02:00:00:00:00:99',
    check: 'links',
    state: 'healed',
    text: /MAC was another/,
  },
  {
    fault: 'a network manager has put a port on another bridge',
    inject: `${link}; ip link add br9 type bridge; ip link set $port master br9; ip link del br9`,
    check: 'links',
    state: 'healed',
    text: /vethwepl\d+ was down, or had left the bridge/,
  },
  {
    fault: 'a port is down',
    inject: `${link}; ip link set $port down`,
    check: 'links',
    state: 'healed',
    text: /vethwepl\d+ was down/,
  },
  {
    fault: 'the link of a container is deleted',
    inject: `${link}; ip link del $port`,
    check: 'links',
    state: 'healed',
    text: /link of container web had gone/,
  },
  {
    fault: 'addresses are flushed',
    inject: 'ip addr flush dev weave',
    check: 'links',
    state: 'healed',
    text: /name server on the bridge had gone; 10\.32\.\S+ had gone/,
  },
  {
    fault: 'rules of routing are flushed',
    inject: 'ip rule del pref 7753',
    check: 'links',
    state: 'healed',
    text: /name server on the bridge had gone/,
  },
  {
    fault: 'the firewall is flushed',
    inject: 'iptables -F; iptables -t nat -F',
    check: 'rules',
    state: 'healed',
    text: /they are back/,
  },
  {
    fault: 'a forward chain drops frames',
    inject: `sysctl -qw net.bridge.bridge-nf-call-iptables=1; ${chain('forward')}`,
    check: 'forwarding',
    state: 'failed',
    text: /the nft chain 'inet mine c' drops them/,
    mend: 'typed',
  },
  {
    fault: 'the same, taken away',
    inject: `${noChain}; ${chain('forward')}`,
    check: 'forwarding',
    state: 'failed',
    text: /nft insert rule inet mine c/,
    mend: noChain,
  },
  {
    fault: 'an input chain drops questions about names',
    inject: chain('input'),
    check: 'names',
    state: 'failed',
    text: /gets no answer from the name server.*'inet mine c'/,
    mend: 'typed',
  },
  {
    fault: 'an output chain drops their answers',
    inject: `${noChain}; nft 'add table inet mine; add chain inet mine c { type filter hook output priority 10; }; add rule inet mine c udp sport 53 drop'`,
    check: 'names',
    state: 'failed',
    text: /gets no answer/,
    mend: noChain,
  },
  {
    fault: 'a Docker network over the range',
    inject: () => host.docker('network', 'create', '--subnet', '10.40.0.0/16', 'over'),
    check: 'range',
    state: 'failed',
    text: /10\.40\.0\.0\/16 .*docker network rm/,
    mend: () => host.docker('network', 'rm', 'over'),
  },
  {
    fault: 'a tool is gone',
    inject: 'mount --bind /dev/null $(command -v sysctl)',
    check: 'tools',
    state: 'failed',
    text: /'sysctl' is not in PATH.*procps/,
    mend: 'umount $(command -v sysctl)',
  },
  {
    fault: 'the engine hangs',
    inject: () => host.pauseEngine(),
    check: 'engine',
    state: 'failed',
    text: /engine/,
    mend: () => host.resumeEngine(),
  },
];

test('a healthy host passes every check', async () => {
  let checks: Verdict[] = [];
  await until('nothing fails', async () => {
    checks = (await doctor(host)).checks;
    return checks.every(({ state }) => state !== 'failed');
  }).catch((error: Error) => assert.fail(`${error.message}; it said ${JSON.stringify(checks)}`));
  assert.deepEqual(
    checks.filter(({ state }) => state === 'healed'),
    [],
  );
  const of = (name: string) => checks.find(({ check }) => check === name)?.state;
  for (const check of ['tools', 'links', 'rules', 'forwarding', 'names', 'daemon'])
    assert.equal(of(check), 'ok', check);
});

for (const fault of faults) {
  test(`doctor: ${fault.fault}`, async () => {
    await play(host, fault);
    for (const from of ['web', 'alone'])
      await until(
        'names and ways are back',
        async () =>
          (
            await host.run([
              'docker',
              '-H',
              host.engineSocket,
              'exec',
              from,
              'ping',
              '-c1',
              '-W2',
              'db.weave.local',
            ])
          ).code === 0,
      );
  });
}

test('a repair is shown, but is not a warning', async () => {
  await until('status shows it, and no warning', async () => {
    const { stdout } = await host.weavets('status');
    return /^ {9}Healed: put right on this host: /m.test(stdout) && !/Warning/.test(stdout);
  });
  assert.match(await host.runOk(['curl', '-sf', 'http://127.0.0.1:6782/metrics']), /^weave_healed [1-9]/m);
});

test('the path between two containers: the first step that fails is named', async () => {
  const inside = async (container: string, ...argv: string[]) =>
    host.runOk([
      'nsenter',
      '-n',
      '-t',
      await host.docker('inspect', '-f', '{{.State.Pid}}', container),
      ...argv,
    ]);
  const stepsOf = async (a: string, b: string) => (await doctor(host, a, b)).checks;
  /** Waits until the steps are as they have to be: on a busy machine a container's answer may be late. */
  const becomes = async (what: string, isSo: () => Promise<unknown>) => {
    let last: unknown;
    await until(what, async () => {
      last = await isSo();
      return last === true;
    }).catch((error: Error) => assert.fail(`${error.message}; it said ${JSON.stringify(last)}`));
  };
  const works = (a: string, b: string) =>
    becomes(`${a} reaches ${b}`, async () => {
      const all = await stepsOf(a, b);
      const answers = all.filter(({ check, state }) => /: answer$/.test(check) && state === 'ok');
      return (all.every(({ state }) => state !== 'failed') && answers.length === 2) || all;
    });
  const fails = (step: string, text: RegExp) =>
    becomes(`${step} fails`, async () => {
      const last = (await stepsOf('web', 'db')).at(-1);
      return (last?.check === step && last.state === 'failed' && text.test(last.text)) || last;
    });
  await works('web', 'alone');
  await inside('web', 'ip', 'link', 'set', 'ethwe', 'down');
  await fails('web: ethwe', /ip link set ethwe up/);
  await inside('web', 'ip', 'link', 'set', 'ethwe', 'up');
  await inside('db', 'ip', 'addr', 'flush', 'dev', 'ethwe');
  await fails('db: ethwe', /docker restart db/);
  await host.docker('restart', '-t', '0', 'db');
  await until('db is attached', async () => (await host.weavets('ps', 'db')).stdout.includes('db '));
  await inside('db', 'iptables', '-A', 'INPUT', '-i', 'ethwe', '-j', 'DROP');
  await fails('web: answer', /a firewall in the container, perhaps/);
  await inside('db', 'iptables', '-D', 'INPUT', '-i', 'ethwe', '-j', 'DROP');
  await host.shell(chain('input'));
  await fails('web: server', /does not answer web/);
  await host.shell(noChain);
  await works('web', 'db');
  await host.shell(chain('forward'));
  await fails('web: rules', /nft/);
  await host.shell(noChain);
  /** Another program does it as often as it is put right. */
  const again = async (deed: string, step: string, text: RegExp) => {
    const loop = `while [ -e /run/again ]; do ${deed}; sleep 0.02; done`;
    await host.shell(`: >/run/again; (${loop}) >/dev/null 2>&1 &`);
    await fails(step, text);
    await host.runOk(['rm', '/run/again']);
    await works('web', 'db');
  };
  const port = `vethwepl${await host.docker('inspect', '-f', '{{.State.Pid}}', 'web')}`;
  await again(`ip link set ${port} down`, 'web: veth', new RegExp(`ip link set ${port} up`));
  await again(`ip link set ${port} nomaster`, 'web: bridge', /is no port of the bridge, but of none/);
  await again('ip link set weave down', 'web: bridge', /the bridge weave is down/);
  const { code, stderr } = await host.weavets('doctor', 'web', 'nobody');
  assert.deepEqual([code, /no container or host is called nobody/.test(stderr)], [1, true], stderr);
});

test('without a daemon: what launch needs is checked, and the daemon is reported as not running', async () => {
  await host.weavets('stop');
  const { checks } = await doctor(host);
  assert.deepEqual(
    checks.filter(({ state }) => state === 'failed').map(({ check, code }) => [check, code]),
    [['daemon', 'NOT_RUNNING']],
  );
  assert.equal((await host.weavets('doctor', '--json')).code, 1);
  const { stdout, stderr, code } = await host.weavets('doctor');
  assert.match(stdout, /^ok {6}tools .*\n[\s\S]*^FAILED {2}daemon .*weavets launch$/m);
  assert.deepEqual([code, /1 of \d+ failed: daemon \(UNHEALTHY\)/.test(stderr)], [1, true], stderr);
});
