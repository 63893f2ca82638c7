import type { Ip4 } from '../model/address.ts';
import { turnRecord } from '../store/records/era.ts';
import { asRead, type Write } from '../store/store.ts';
import type { Other } from './eras.ts';
import type { Slots } from './grid.ts';

/** What a host knows when the store was set back. */
export interface TellingDeps {
  /** this host */
  peer: string;
  others: ReadonlyMap<string, Other>;
  /** the store knew more of this host than this one did */
  behind: boolean;
  /** who had an address, as was heard before the store lost it */
  ownerBefore: (ip: Ip4) => string | undefined;
  isOwn: (ip: Ip4) => boolean;
  isInUse: (ip: Ip4) => boolean;
}

/** What is to become of a cell. */
export interface Told {
  /** for the store */
  value: Slots;
  /** what of it is this host's to give, now or as soon as it is written */
  own: Slots;
  /** what must not have changed when it is written */
  guards: readonly Write[];
  /** a host that lives has yet to say whether something that this host owns is its */
  isClaimed: boolean;
}

/**
 * What a host says of a cell after the store was set back. What it owns, it owns, unless another that has looked at
 * its own claims says the same. What the store says is its, and it did not own, is from the past. What nobody has is
 * that of whom it was heard to be, if that host is away.
 */
export class Telling {
  readonly #deps: TellingDeps;

  constructor(deps: TellingDeps) {
    this.#deps = deps;
  }

  of(cell: Ip4, slots: Slots): Told {
    const { peer, others, behind, isOwn, isInUse } = this.#deps;
    const guards = new Map<string, Write>();
    const own: Slots = slots.map(() => undefined);
    let isClaimed = false;
    const value = slots.map((owner, i) => {
      const ip = cell + i;
      if (owner !== undefined && owner !== peer) {
        if (!isOwn(ip)) return owner;
        const { step, isAlive = false } = others.get(owner) ?? {};
        if (step === 'dropped' || step === 'told') return owner;
        own[i] = peer;
        if (!isAlive) return peer;
        isClaimed = true;
        return owner;
      }
      if (isOwn(ip) || isInUse(ip)) {
        own[i] = peer;
        return peer;
      }
      return owner === peer && behind ? peer : this.#ofAway(ip, guards);
    });
    return { value, own, guards: [...guards.values()], isClaimed };
  }

  /** A host that has begun to tell, tells for itself. */
  #ofAway(ip: Ip4, guards: Map<string, Write>): string | undefined {
    const { peer, others, ownerBefore } = this.#deps;
    const owner = ownerBefore(ip);
    if (owner === undefined || owner === peer) return undefined;
    const other = others.get(owner);
    if (other?.step !== undefined) return undefined;
    guards.set(owner, { key: turnRecord.keyOf(owner), ...asRead(other?.turnEntry) });
    return owner;
  }
}
