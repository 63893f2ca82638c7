import { createHash } from 'node:crypto';
import { Cidr, formatIp } from '../../src/model/address.ts';
import type { CheckView, ContainerView, EventView, HostView, NetworkView } from '../../src/report/network.ts';

const range = Cidr.parse('10.32.0.0/12');
const roles = ['web', 'api', 'db', 'cache', 'queue', 'worker', 'mail', 'search', 'auth', 'cron'];
const domain = 'weave.local';

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** Name of a host that is made up, a MAC. */
export const madeUpHost = (host: number) => `0e:00:00:00:00:${host.toString(16).padStart(2, '0')}`;

/** A network as a daemon tells of it, of hosts that there are not; always the same. */
export function madeUpNetwork({ hosts, containers }: { hosts: number; containers: number }): NetworkView {
  const self = madeUpHost(1);
  return {
    sequence: 0,
    about: { version: '0.1.0', self, domain, range: range.toString(), encryption: true },
    hosts: Array.from({ length: hosts }, (_, index) => hostView(index + 1)),
    containers: Array.from({ length: containers }, (_, index) => containerView(index, hosts)),
    conditions: [],
    healed: [],
    doctor: { at: Date.UTC(2026, 0, 5, 9, 14), checks: madeUpChecks() },
    events: [],
  };
}

/** As on a host where all is well. */
function madeUpChecks(): CheckView[] {
  const found: [check: string, state: CheckView['state'], text: string][] = [
    ['tools', 'ok', 'every program that weavets runs is installed'],
    ['engine', 'ok', 'the engine answers, with version 1.51 of its API'],
    ['encryption', 'ok', 'this host can encrypt'],
    ['links', 'ok', "the bridge and the containers' links are well"],
    ['rules', 'ok', "weavets' rules are in place"],
    ['offload', 'skipped', 'no other host is silent'],
  ];
  return found.map(([check, state, text]) => ({ check, state, text, code: null }));
}

function hostView(host: number): HostView {
  return {
    name: madeUpHost(host),
    nickname: `node${host}`,
    address: `10.0.${host >> 8}.${host & 255}`,
    alive: true,
    addresses: [],
    names: [],
    path:
      host === 1
        ? null
        : {
            state: 'established',
            carrier: 'encrypted wireguard',
            text: '',
            roundTripMs: 0.2 + (host % 7) / 9,
            mtu: 1340,
            loss: 0,
          },
  };
}

function containerView(index: number, hosts: number): ContainerView {
  const id = hashOf(`container ${index}`);
  const name = `${roles[index % roles.length]}${Math.floor(index / roles.length) + 1}`;
  const address = formatIp(range.first + 1 + index);
  return {
    id,
    name,
    host: madeUpHost((index % hosts) + 1),
    state: 'attached',
    addresses: [index % hosts === 0 ? `${address}/12` : address],
    mac: `5a:${(hashOf(`mac ${index}`).slice(0, 10).match(/../g) ?? []).join(':')}`,
    names: [{ name: `${name}.${domain}`, address }],
    reason: '',
  };
}

/** An event about a container, at a time that does not change with the day. */
export function madeUpEvent(number: number, about: ContainerView, text: string): EventView {
  return {
    number,
    at: Date.UTC(2026, 0, 5, 9, 12, number),
    level: 'info',
    text,
    subject: about.id,
    name: about.name,
  };
}
