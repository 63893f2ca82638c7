/** Who claims the same thing, an address or a MAC. Mostly there is one: a set for each would be most of the memory. */
export class Claims {
  readonly #claims = new Map<string, string | Set<string>>();

  add(thing: string, who: string): void {
    const claim = this.#claims.get(thing);
    if (claim === undefined || claim === who) this.#claims.set(thing, who);
    else if (claim instanceof Set) claim.add(who);
    else this.#claims.set(thing, new Set([claim, who]));
  }

  remove(thing: string, who: string): void {
    const claim = this.#claims.get(thing);
    if (claim === who) this.#claims.delete(thing);
    else if (claim instanceof Set) {
      claim.delete(who);
      const [last, ...others] = claim;
      if (last !== undefined && others.length === 0) this.#claims.set(thing, last);
    }
  }

  of(thing: string): string[] {
    const claim = this.#claims.get(thing);
    if (claim === undefined) return [];
    return claim instanceof Set ? [...claim] : [claim];
  }
}
