import type { Conditions } from '../model/conditions.ts';
import type { PeerState } from '../net/overlay/datapath.ts';

/** Hosts that are named one by one: where one host has lost all others, a few tell as much as a thousand. */
const most = 10;

/** Makes conditions of ways to other hosts that fail, or let only small packets through. */
export class PathWatch {
  readonly #conditions: Conditions;
  #named = new Set<string>();

  constructor(conditions: Conditions) {
    this.#conditions = conditions;
  }

  /** @param states of the hosts whose daemons run: one that ended is known to be silent */
  look(states: readonly PeerState[]): void {
    const wrong = states.filter(({ text }) => text !== '').slice(0, most);
    const named = new Set<string>();
    for (const { peer, state, text } of wrong) {
      const sentence = `the network to ${peer.nickname} (${peer.address}): ${text}`;
      const code = state === 'failed' ? 'PATH_BLOCKED' : 'PATH_NARROW';
      this.#conditions.clear(code === 'PATH_BLOCKED' ? 'PATH_NARROW' : 'PATH_BLOCKED', peer.name);
      if (code === 'PATH_BLOCKED') this.#conditions.set('PATH_BLOCKED', sentence, peer.name);
      else this.#conditions.set('PATH_NARROW', sentence, peer.name);
      named.add(peer.name);
    }
    for (const name of this.#named) {
      if (named.has(name)) continue;
      this.#conditions.clear('PATH_BLOCKED', name);
      this.#conditions.clear('PATH_NARROW', name);
    }
    this.#named = named;
  }
}
