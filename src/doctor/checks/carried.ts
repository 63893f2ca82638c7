import { droppingChains, hookAdvice } from '../../net/nft-chains.ts';
import { letsOut, linkTo } from '../../net/underlay-probe.ts';
import { type Check, failed, healed, ok } from '../check.ts';
import type { Tuning } from '../tuning.ts';

/** Another host. */
export interface Peer {
  nickname: string;
  /** underlay IPv4 */
  address: string;
  /** its daemon runs, and nothing passes between us and it */
  silent: boolean;
  /** the same, though the daemons hear each other outside the network */
  blocked: boolean;
  /** what is the matter with packets of full size; undefined: they pass, or it is not known */
  narrow: { text: string; met: boolean } | undefined;
}

/** What the checks of the way to other hosts look at. */
export interface CarriedDeps {
  peers(): readonly Peer[];
  /** the interface that other hosts reach this one by; undefined: none */
  underlayLink(): string | undefined;
  tuning: Pick<Tuning, 'read' | 'set' | 'list'>;
}

/** Hosts that are tried: what stops one on this host stops all. */
const few = 3;
const ports = 'udp dport 6783-6785';
const silentPeers = ({ peers }: CarriedDeps) => peers().filter(({ silent }) => silent);

export const outgoing: Check<CarriedDeps> = {
  name: 'outgoing',
  about: "This host's firewall lets out a byte sent to other hosts.",
  code: 'OUTPUT_BLOCKED',
  when: 'probe',
  async run({ peers }) {
    for (const { address, nickname } of peers().slice(0, few)) {
      if (await letsOut(address)) continue;
      const advice = await hookAdvice('output', { what: 'it', match: ports });
      return failed(`this host's firewall does not let out what goes to ${nickname} (${address}): ${advice}`);
    }
    return ok('what goes to other hosts is let out');
  },
};

export const incoming: Check<CarriedDeps> = {
  name: 'incoming',
  about: 'If another host is up but not heard: no chain on this host drops what it sends.',
  code: 'INPUT_BLOCKED',
  when: 'probe',
  async run(deps) {
    const [silent] = silentPeers(deps);
    if (silent === undefined) return ok('the other hosts are heard');
    if ((await droppingChains('input', 'ip filter INPUT')).length === 0)
      return ok('no chain of this host drops what comes from other hosts');
    const advice = await hookAdvice('input', { what: 'it', match: ports });
    return failed(`nothing is heard of ${silent.nickname} (${silent.address}), which is up: ${advice}`);
  },
};

/** What the kernel goes by is the higher of the link's own and the one for all. */
const filterOf = (link: string) => `net/ipv4/conf/${link}/rp_filter`;

export const reversePath: Check<CarriedDeps> = {
  name: 'reverse-path',
  about:
    'If another host is up but not heard: it comes in by the link that leads to it, or rp_filter accepts other links.',
  heals: "The link's rp_filter is set to 2 (loose).",
  code: 'REVERSE_PATH',
  when: 'probe',
  async run(deps) {
    const { tuning } = deps;
    const link = deps.underlayLink();
    if (link === undefined) return ok('this host has no link to others');
    const done = (await tuning.list()).some(({ setting }) => setting === filterOf(link));
    const text = `${link} drops what comes by another way than this host answers by; its rp_filter is now 2`;
    if (done) return healed(text);
    const strict = async () =>
      Math.max(
        ...(await Promise.all(['all', link].map(async (of) => Number(await tuning.read(filterOf(of)))))),
      ) === 1;
    for (const { address } of silentPeers(deps).slice(0, few)) {
      const way = await linkTo(address);
      if (way === undefined || way === link || !(await strict())) continue;
      await tuning.set(filterOf(link), '2');
      return healed(text);
    }
    return ok('the other hosts come in by the way that this host answers by, or rp_filter does not mind');
  },
};
