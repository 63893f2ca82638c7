import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, Machine } from './machine.ts';
import type { Random } from './random.ts';

/** What a fault is made on. */
export interface Target {
  cluster: Cluster;
  /** the machine that is struck */
  machine: Machine;
  random: Random;
}

/** A fault: made, and after some time healed, by hand where it does not heal by itself. */
export interface Fault {
  name: string;
  /** ms that it lasts at least; absent: however short */
  least?: number;
  inject: (target: Target) => Promise<void>;
  heal: (target: Target) => Promise<void>;
}

const byItself = async () => {};

/** Stopped and continued. */
const frozen = (name: string, signal: (target: Target, what: 'STOP' | 'CONT') => Promise<void>): Fault => ({
  name,
  inject: (target) => signal(target, 'STOP'),
  heal: (target) => signal(target, 'CONT'),
});

/** Packets on eth0 are dropped: those of all hosts, or of one, that come in, go out, or both. */
const dropped = (name: string, ways: readonly ('in' | 'out')[], of: 'all' | 'one'): Fault => ({
  name,
  inject: async ({ cluster, machine, random }) => {
    const other = random.pick(cluster.others(machine)).host.address;
    const rules = ways.map((way) => {
      const [hook, link, end] =
        way === 'in' ? ['prerouting', 'iifname', 'saddr'] : ['output', 'oifname', 'daddr'];
      const match = of === 'one' ? `ip ${end} ${other}` : '';
      return `chain ${way} { type filter hook ${hook} priority -300; ${link} eth0 ${match} drop; }`;
    });
    await machine.host.runOk(['nft', `table ip chaos {\n${rules.join('\n')}\n}`]);
  },
  heal: async ({ machine }) => {
    await machine.host.runOk(['nft', 'delete', 'table', 'ip', 'chaos']);
  },
});

/** The processes that make links are killed as they come; the loop ends when its file is gone. */
const killing = `
: >/run/killing
(while [ -e /run/killing ]; do kill -9 $(pgrep -x 'ip|bridge|netns-worker') 2>/dev/null; sleep 0.05; done) >/dev/null 2>&1 &
`;

/** As the shell takes them: the last is a container's. */
const ourLinks = ['weave', 'vxlan-6784', 'weave-wg', '$(ls /sys/class/net | grep -m 1 vethwepl)'];

/** What is ours of it. */
const routing = 'for i in 6783 6784 6785; do ip rule del pref $i; done; ip route flush table 6784';

export const faults: readonly Fault[] = [
  {
    name: 'daemon killed',
    inject: ({ machine }) => machine.signalDaemon('KILL'),
    heal: ({ cluster, machine }) => cluster.launch(machine),
  },
  {
    name: 'engine killed',
    inject: ({ machine }) => machine.host.stopEngine('SIGKILL'),
    heal: ({ machine }) => machine.host.startEngine(),
  },
  { name: 'etcd killed', inject: ({ machine }) => machine.signalEtcd('KILL'), heal: byItself },
  {
    name: 'tools killed',
    inject: async ({ machine }) => {
      await machine.host.runOk(['bash', '-c', killing]);
    },
    heal: async ({ machine }) => {
      await machine.host.runOk(['rm', '/run/killing']);
      await delay(100);
    },
  },
  {
    name: 'wireguard-go killed',
    inject: async ({ machine }) => {
      await machine.host.runOk(['bash', '-c', 'kill -9 $(pgrep -x wireguard-go)']);
    },
    heal: byItself,
  },
  frozen('daemon frozen', ({ machine }, what) => machine.signalDaemon(what)),
  frozen('etcd frozen', ({ machine }, what) => machine.signalEtcd(what)),
  frozen('engine frozen', ({ machine: { host } }, what) =>
    what === 'STOP' ? host.pauseEngine() : host.resumeEngine(),
  ),
  {
    name: 'cut off',
    inject: ({ machine }) => machine.cable('down'),
    heal: ({ machine }) => machine.cable('up'),
  },
  dropped('deaf', ['in'], 'all'),
  dropped('mute', ['out'], 'all'),
  dropped('apart from one', ['in', 'out'], 'one'),
  dropped('deaf to one', ['in'], 'one'),
  {
    name: 'disk full',
    inject: async ({ machine }) => {
      await machine.host.shell('cat /dev/zero >/var/lib/weave/filler');
    },
    heal: async ({ machine }) => {
      await machine.host.runOk(['rm', '/var/lib/weave/filler']);
    },
  },
  {
    name: 'firewall flushed',
    inject: async ({ machine: { host } }) => {
      await host.runOk(['iptables', '-F']);
      await host.runOk(['iptables', '-t', 'nat', '-F']);
    },
    heal: byItself,
  },
  {
    name: 'link down',
    inject: async ({ machine, random }) => {
      await machine.host.shell(`ip link set ${random.pick([...ourLinks, 'eth0'])} down`);
    },
    // The machine's own link is its administrator's; what is ours comes up by itself.
    heal: ({ machine }) => machine.configureNetwork(),
  },
  {
    name: 'link deleted',
    inject: async ({ machine, random }) => {
      await machine.host.shell(`ip link delete ${random.pick(ourLinks)}`);
    },
    heal: byItself,
  },
  {
    name: 'routing flushed',
    inject: async ({ machine }) => {
      await machine.host.shell(routing);
    },
    heal: byItself,
  },
  {
    name: 'clock jumped',
    // The daemon looks at most things every few seconds.
    least: 4_000,
    inject: ({ machine, random }) =>
      machine.setClock(Math.round(random.pick([60, 3600, 86_400, 400 * 86_400]) * random.pick([1, -1]))),
    heal: ({ machine }) => machine.setClock(0),
  },
  {
    name: 'reboot',
    inject: ({ machine }) => machine.cutPower(),
    heal: ({ cluster, machine }) => cluster.boot(machine),
  },
  {
    name: 'power cut of all',
    inject: async ({ cluster }) => {
      await Promise.all(cluster.machines.map((machine) => machine.cutPower()));
    },
    heal: async ({ cluster }) => {
      await Promise.all(cluster.machines.map((machine) => cluster.boot(machine)));
    },
  },
];
