import { type Check, failed, healed, ok, skipped } from '../check.ts';
import type { CarriedDeps } from './carried.ts';

/** A clock that this host's is compared with. */
export interface OtherClock {
  /** whose: `10.0.0.5:2379` */
  of: string;
  /** ms that this host's is ahead */
  ahead: number;
}

/** What the checks of the store and of the hosts that share it look at. */
export interface ClusterDeps extends Pick<CarriedDeps, 'peers'> {
  /** undefined: this host is alone */
  store: { ask(): Promise<void>; clocks(): Promise<OtherClock[]> } | undefined;
}

/** ms; clocks are read to the second */
const apart = 5_000;

export const store: Check<ClusterDeps> = {
  name: 'store',
  about: "The hosts' shared store answers.",
  code: 'STORE_UNAVAILABLE',
  when: 'asked',
  async run({ store }) {
    if (store === undefined) return skipped('this host is alone');
    await store.ask();
    return ok('the store answers');
  },
};

export const clock: Check<ClusterDeps> = {
  name: 'clock',
  about: "This host's clock is within five seconds of those of the store's members.",
  code: 'CLOCK_APART',
  when: 'probe',
  async run({ store }) {
    if (store === undefined) return skipped('this host is alone');
    const clocks = await store.clocks();
    if (clocks.length === 0) return skipped('no member of the store reports its time');
    const other = clocks.find(({ ahead }) => Math.abs(ahead) > apart);
    if (other === undefined) return ok('the clock is that of the store');
    const seconds = Math.round(Math.abs(other.ahead) / 1000);
    return failed(
      `this host's clock is ${seconds} s ${other.ahead > 0 ? 'ahead of' : 'behind'} that of ${other.of}; certificates may count as expired, and logs do not fit together: set both by NTP (timedatectl set-ntp true)`,
    );
  },
};

export const peers: Check<ClusterDeps> = {
  name: 'peers',
  about: 'This host and every other host with a running daemon hear each other.',
  code: 'PATH_BLOCKED',
  when: 'asked',
  async run({ peers }) {
    const all = peers();
    if (all.length === 0) return skipped('there are no other hosts');
    const silent = all.filter((peer) => peer.silent);
    if (silent.length === 0) return ok(`all other hosts are heard (${all.length})`);
    const names = silent.slice(0, 5).map(({ nickname, address }) => `${nickname} (${address})`);
    return failed(
      `${silent.length} of ${all.length} other hosts do not answer, though their daemons run: ${names.join(', ')}; is UDP 6783 to 6785 let through on both hosts, and between them? 'weavets doctor' there tells more`,
    );
  },
};

export const fullSize: Check<ClusterDeps> = {
  name: 'full-size',
  about: "Packets of the containers' full MTU reach every other host, not only small ones.",
  heals: 'Containers here send smaller ones there, as large as get through.',
  code: 'PATH_NARROW',
  when: 'asked',
  async run({ peers }) {
    const narrow = peers().flatMap((peer) => (peer.narrow ? [{ ...peer, ...peer.narrow }] : []));
    const [worst] = narrow.toSorted((a, b) => Number(a.met) - Number(b.met));
    if (worst === undefined) return ok('full-size packets pass to the other hosts, as far as is known');
    const text = `to ${worst.nickname} (${worst.address}): ${worst.text}`;
    return worst.met ? healed(text) : failed(text);
  },
};
