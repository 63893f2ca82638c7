import { setTimeout as delay } from 'node:timers/promises';
import { leaveChecksums, leavesChecksums } from '../../net/overlay/offload.ts';
import { type Check, healed, ok, skipped } from '../check.ts';
import type { CarriedDeps } from './carried.ts';

/** What {@link offload} looks at. */
export interface OffloadDeps extends Pick<CarriedDeps, 'peers'> {
  /** hosts for which it was tried, and did not help: addresses */
  triedOffload: Set<string>;
}

/** ms in which it is noticed that frames pass, or don't */
const patience = 30_000;
const pause = 500;

export const offload: Check<OffloadDeps> = {
  name: 'offload',
  about:
    'If another host is heard outside the network but nothing passes inside: computing checksums here, rather than on the card, makes no difference.',
  heals: "If that helps, they are computed here (ethtool's `tx off` on the link to the other hosts).",
  code: 'CHECKSUMS_BROKEN',
  when: 'probe',
  async run({ peers, triedOffload }) {
    const leaves = await leavesChecksums();
    if (leaves === undefined) return skipped('there is no link to other hosts, or ethtool is not installed');
    const text =
      'frames to other hosts did not pass with checksums left to the card, or to what carries them; they are made here now, which takes some time of the processor';
    if (!leaves) return healed(text);
    const blocked = peers().filter((peer) => peer.blocked);
    for (const address of triedOffload)
      if (!blocked.some((peer) => peer.address === address)) triedOffload.delete(address);
    const fresh = blocked.filter(({ address }) => !triedOffload.has(address)).map(({ address }) => address);
    if (fresh.length === 0) return ok('checksums of frames are not what stops them');
    const silent = (count: number) =>
      peers().filter((p) => fresh.includes(p.address) && p.silent).length === count;
    await leaveChecksums(false);
    const passes = await within(() => !silent(fresh.length));
    await leaveChecksums(true);
    // It may be something else that has passed just now: then they go on passing.
    if (passes && (await within(() => silent(fresh.length)))) {
      await leaveChecksums(false);
      return healed(text);
    }
    for (const address of fresh) triedOffload.add(address);
    return ok('checksums of frames are not what stops them');
  },
};

async function within(probe: () => boolean): Promise<boolean> {
  for (let waited = 0; waited < patience; waited += pause) {
    await delay(pause);
    if (probe()) return true;
  }
  return false;
}
