import { neighbourUse } from '../../net/neighbours.ts';
import { type Check, failed, healed, ok, skipped } from '../check.ts';
import type { Tuning } from '../tuning.ts';

/** What {@link neighbours} looks at. */
export interface NeighboursDeps {
  tuning: Pick<Tuning, 'read' | 'set' | 'list'>;
  /** default: the kernel's */
  neighbourTable?: string;
}

/** Share of the table above which it is too small: many containers may come at once. */
const full = 0.5;
/** The largest that is set: some 400 bytes each. */
const most = 131_072;

const threshold = (number: 2 | 3) => `net/ipv4/neigh/default/gc_thresh${number}`;

export const neighbours: Check<NeighboursDeps> = {
  name: 'neighbours',
  about: "The kernel's neighbour table, shared by all containers of the machine, is less than half full.",
  heals: 'It is enlarged fourfold.',
  code: 'NEIGHBOURS_FULL',
  when: 'probe',
  async run({ tuning, neighbourTable }) {
    const use = await neighbourUse(neighbourTable);
    const limit = Number(await tuning.read(threshold(3)));
    if (use === undefined || !limit) return skipped("only the machine's own network namespace shows it");
    if (use.entries > limit * full) {
      const larger = Math.min(most, limit * 4);
      if (larger <= limit) return failed(`the kernel's table of neighbours holds ${use.entries} of ${limit}`);
      await tuning.set(threshold(3), String(larger));
      await tuning.set(threshold(2), String(larger / 2));
      return healed(raised(limit, larger));
    }
    const change = (await tuning.list()).find(({ setting }) => setting === threshold(3));
    if (change) return healed(raised(Number(change.from), limit));
    return ok(`the kernel's table of neighbours holds ${use.entries} of ${limit}`);
  },
};

function raised(from: number, to: number): string {
  return `the kernel's table of neighbours was too small for the containers of this machine; net.ipv4.neigh.default.gc_thresh3 was ${from} and is ${to}`;
}
