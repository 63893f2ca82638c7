import type { Finding, Verdict } from '../model/verdict.ts';
import { ethweAddresses } from '../net/addresses.ts';
import { bridgeName, findLink } from '../net/bridge.ts';
import { askFrom, reachesFrom } from '../net/inside-probe.ts';
import { destinationOf } from '../net/overlay/vxlan.ts';
import { linkMaster } from '../net/sysfs.ts';
import { hostLink, type NetnsProcess } from '../net/veth.ts';
import { failed, ok, skipped } from './check.ts';

/** One end of a way. */
export interface End {
  /** as it was asked for */
  called: string;
  host: {
    nickname: string;
    /** underlay IPv4 */
    address: string;
    here: boolean;
    /** its daemon runs */
    alive: boolean;
    /** what is the matter with the way between the hosts; empty: nothing, or it is this host */
    trouble: string;
  };
  /** undefined: it is a host */
  container:
    | {
        name: string;
        /** with the final dot; undefined: it has no name */
        hostname: string | undefined;
        mac: string;
        ips: readonly string[];
        /** on this host only */
        process: NetnsProcess | undefined;
        /** `ip:port` of the name server that it was told of; undefined: of none of ours */
        server: string | undefined;
      }
    | undefined;
}

/** What a walk has of the daemon. */
export interface WalkDeps {
  /** addresses of a name, as this host knows it */
  addresses(hostname: string): string[];
  /** whether rules and firewall let frames through */
  rules(): Promise<Finding>;
}

/** A part of the way. */
export interface Step {
  name: string;
  /** for docs/doctor.md */
  about: string;
  run(from: End, to: End, deps: WalkDeps): Promise<Finding>;
}

const elsewhere = ({ host }: End) => skipped(`that is on ${host.nickname}`);
const noContainer = skipped('that is a host');

/** What each end has, in the order of the way from it. */
export const steps: readonly Step[] = [
  {
    name: 'name',
    about: 'The name of the other end resolves to its address.',
    async run(_, { container }, { addresses }) {
      if (container?.hostname === undefined) return skipped('it has no name');
      const { hostname, ips } = container;
      const found = addresses(hostname);
      if (found.some((address) => ips.includes(address))) return ok(`${hostname} is ${found.join(', ')}`);
      return failed(`${hostname} stands for ${found.join(', ') || 'nothing'}, and not for ${ips.join(', ')}`);
    },
  },
  {
    name: 'ethwe',
    about: 'The container has its interface, up and with its addresses.',
    async run(end) {
      const { container } = end;
      if (container === undefined) return noContainer;
      const { process, ips } = container;
      if (process === undefined) return elsewhere(end);
      const has = (await ethweAddresses(process, { up: true })).map(({ address }) => String(address));
      const lost = ips.filter((ip) => !has.includes(ip));
      if (lost.length === 0) return ok(`ethwe is up, with ${has.join(', ')}`);
      return failed(
        `ethwe of ${container.name} is down, gone, or without ${lost.join(', ')}; in the container: ip link set ethwe up; or start it again: docker restart ${container.name}`,
      );
    },
  },
  {
    name: 'veth',
    about: 'The other end of that interface is on the host, and up.',
    async run(end) {
      if (end.container === undefined) return noContainer;
      const { process, name } = end.container;
      if (process === undefined) return elsewhere(end);
      const link = hostLink(process.pid);
      const found = await findLink(link);
      if (found?.operstate === 'UP') return ok(`${link} is up`);
      return failed(
        found
          ? `${link} of ${name} is ${found.operstate.toLowerCase()}; ip link set ${link} up`
          : `${link} of ${name} has gone; start the container again: docker restart ${name}`,
      );
    },
  },
  {
    name: 'bridge',
    about: 'The bridge is up, and that link is a port of it.',
    async run(end) {
      if (!end.host.here) return elsewhere(end);
      const bridge = await findLink(bridgeName);
      if (bridge === undefined || bridge.operstate === 'DOWN')
        return failed(
          `the bridge ${bridgeName} is ${bridge ? 'down' : 'not there'}; weavets brings it back within seconds`,
        );
      const { container } = end;
      if (container?.process === undefined) return ok('the bridge is up');
      const link = hostLink(container.process.pid);
      const master = linkMaster(link);
      if (master === bridgeName) return ok(`${link} is a port of the bridge`);
      return failed(
        `${link} of ${container.name} is no port of the bridge, but of ${master ?? 'none'}; weavets brings it back within seconds, unless another program takes it away again`,
      );
    },
  },
  {
    name: 'server',
    about: "The container's name server answers with the address of the other end.",
    async run(from, { container: to }) {
      if (from.container?.process === undefined || to?.hostname === undefined)
        return skipped('no container of this host asks there');
      const { server, process, name } = from.container;
      if (server === undefined) return skipped(`${name} was not told of our name server`);
      const found = await askFrom(process, { server, name: to.hostname });
      if (found?.some((address) => to.ips.includes(address))) return ok(`${server} answers ${name}`);
      return failed(
        found === undefined
          ? `${server} does not answer ${name}; 'weavets doctor' tells what stops names`
          : `${server} answers ${name} with ${found.join(', ') || 'nothing'} for ${to.hostname}`,
      );
    },
  },
  {
    name: 'rules',
    about: "This host's firewall rules let frames through.",
    run: async (end, _, { rules }) => (end.host.here ? rules() : elsewhere(end)),
  },
  {
    name: 'entry',
    about: "The kernel's forwarding entry for the other host's container points to that host.",
    async run(from, { host, container }) {
      if (!from.host.here || host.here || container === undefined) return skipped('it takes none');
      const found = await destinationOf(container.mac);
      if (found === host.address) return ok(`${container.mac} is at ${found}`);
      return failed(
        `the entry for ${container.mac} leads to ${found ?? 'nowhere'} instead of ${host.address} (${host.nickname}); weavets sets it again within a minute or so, 'weavets stop' and 'weavets launch' at once`,
      );
    },
  },
  {
    name: 'peer',
    about: "The other host's daemon is running.",
    async run(_, { host }) {
      if (host.here || host.alive) return ok(`weavets runs on ${host.nickname}`);
      return failed(
        `weavets does not run on ${host.nickname} (${host.address}), or has lost the store; its containers keep their network, but not their names: 'weavets launch' there`,
      );
    },
  },
  {
    name: 'path',
    about: 'The hosts hear each other.',
    async run(from, { host }) {
      if (!from.host.here || host.here) return skipped('they are on one host');
      if (host.trouble === '') return ok(`${host.nickname} (${host.address}) is heard`);
      return failed(host.trouble);
    },
  },
];

/** Last, when each part is well: all of it, there and back. */
export const answer: Step = {
  name: 'answer',
  about: 'A byte sent from one end to the other is answered.',
  async run(from, to) {
    const [address] = to.container?.ips ?? [];
    if (from.container?.process === undefined || to.container === undefined || address === undefined)
      return skipped('no container of this host sends it');
    if (await reachesFrom(from.container.process, address)) return ok(`${to.called} answers ${from.called}`);
    const there = to.host.here
      ? ''
      : `; 'weavets doctor ${to.called} ${from.called}' on ${to.host.nickname} tells more`;
    return failed(
      `${address} does not answer ${from.container.name}, though all on the way to it is well here: a firewall in the container, perhaps${there}`,
    );
  },
};

/** Walks from one end to the other and back, as far as all is well. @returns what was found; the last may have failed */
export async function walk(a: End, b: End, deps: WalkDeps): Promise<Verdict[]> {
  const way = [...steps.map((step) => [step, a, b] as const), ...steps.map((step) => [step, b, a] as const)];
  const verdicts: Verdict[] = [];
  for (const [step, from, to] of [...way, [answer, a, b] as const, [answer, b, a] as const]) {
    const finding = await step.run(from, to, deps);
    const bad = finding.state === 'failed';
    // A finding that is another check's verdict has a code of its own.
    verdicts.push({ code: bad ? 'UNHEALTHY' : null, ...finding, check: `${from.called}: ${step.name}` });
    if (bad) break;
  }
  return verdicts;
}
