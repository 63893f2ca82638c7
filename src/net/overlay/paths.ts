import type { PathHealth } from '../../model/path-health.ts';
import { BeatMeter } from './beat-meter.ts';
import { largestPassing } from './largest-passing.ts';
import { newNonce, smallestProbe } from './probe-message.ts';

/** ms between questions to a host; to one of whom the latest answers are not what its state says; for an answer */
const times = { interval: 2_000, soon: 500, patience: 1_000 } as const;
/** ms between calls of {@link Paths.tick} */
export const tickPause = 200;
/** Hosts that are asked in each: of more than 50, each is asked less often. */
const perTick = 5;
const askedEachTime = (times.interval / tickPause) * perTick;

/** Bytes below which no path is looked at: what does not carry as much is broken. */
const leastMtu = 256;
/** Questions of one size, any answer to which proves that it passes. */
const tries = 3;
/** Searches at a time, and ms between two of a host where one is known to pass, and where none is. */
const searches = { most: 16, again: 30_000, soon: 5_000 } as const;

/** A host whose probe answers. */
export interface ProbedPeer {
  name: string;
  nickname: string;
  address: string;
}

/** What {@link Paths} works with. */
export interface PathsDeps {
  /** MTU of the containers' network */
  full: number;
  /** ms; it never jumps */
  now: () => number;
  /** ms since the epoch */
  date: () => number;
  /** whether the hosts hear each other outside */
  underlay: (address: string) => PathHealth['underlay'];
  /** asks the host's probe by an IP packet of that size */
  send: (peer: string, size: number, nonce: string) => void;
  /** told when the MTU of a path is another */
  changed: () => void;
}

interface Path {
  peer: ProbedPeer;
  small: BeatMeter;
  full: BeatMeter;
  /** of the largest size that was found to pass, where full size does not */
  found: { mtu: number; beat: BeatMeter } | undefined;
  /** when it is to be asked next */
  due: number;
  searching: boolean;
  nextSearch: number;
}

/** ms until the answer; undefined: none */
type Outcome = (roundTrip: number | undefined) => void;

/**
 * How the ways to the other hosts are: each host is asked by a small and by a full packet, and where only small ones
 * come back, for the largest that does. Asks as many hosts in a time as there may be, those first whose turn was longest ago.
 */
export class Paths {
  readonly #deps: PathsDeps;
  readonly #paths = new Map<string, Path>();
  /** by nonce */
  readonly #pending = new Map<string, { peer: string; sent: number; deadline: number; outcome: Outcome }>();
  /** when {@link tick} was called last */
  #ticked = 0;
  #searches = 0;
  /** what the last search found: other hosts may be behind the same narrow place */
  #guess: number | undefined;

  constructor(deps: PathsDeps) {
    this.#deps = deps;
  }

  setPeers(peers: readonly ProbedPeer[]): void {
    const wanted = new Map(peers.map((peer) => [peer.name, peer]));
    for (const name of this.#paths.keys()) if (!wanted.has(name)) this.#paths.delete(name);
    for (const peer of peers) {
      const path = this.#paths.get(peer.name);
      if (path?.peer.address === peer.address) path.peer = peer;
      else this.#paths.set(peer.name, this.#newPath(peer));
    }
  }

  /** To be called every {@link tickPause}. */
  tick(): void {
    const now = this.#deps.now();
    // After a time in which this process did nothing, answers may wait to be read.
    const stalled = now - this.#ticked > times.patience;
    this.#ticked = now;
    for (const [nonce, { deadline, outcome }] of this.#pending) {
      if (deadline > now || stalled) continue;
      this.#pending.delete(nonce);
      outcome(undefined);
    }
    const due = [...this.#paths.values()].filter((path) => path.due <= now).sort((a, b) => a.due - b.due);
    for (const path of due.slice(0, perTick)) this.#askBeat(path);
  }

  /** An answer of that host has come in. */
  answered(peer: string, nonce: string): void {
    const asked = this.#pending.get(nonce);
    if (asked?.peer !== peer) return;
    this.#pending.delete(nonce);
    asked.outcome(this.#deps.now() - asked.sent);
  }

  /** Of all peers, by name. */
  health(): Map<string, PathHealth> {
    const sampled = this.#paths.size > askedEachTime;
    return new Map(
      [...this.#paths].map(([name, { peer, small, full, found }]) => [
        name,
        {
          peer: name,
          nickname: peer.nickname,
          address: peer.address,
          small: small.beat,
          full: full.beat,
          mtu: found?.mtu,
          underlay: this.#deps.underlay(peer.address),
          sampled,
        },
      ]),
    );
  }

  /** The largest size that passes; null: full size does; undefined: it is not known yet. */
  mtuOf(peer: string): number | null | undefined {
    const path = this.#paths.get(peer);
    return path?.found?.mtu ?? (path?.full.beat.state === 'ok' ? null : undefined);
  }

  /** Hosts to which full size does not pass. */
  narrow(): string[] {
    return [...this.#paths.values()].flatMap(({ peer, found }) => (found ? peer.name : []));
  }

  #newPath(peer: ProbedPeer): Path {
    const now = this.#deps.date();
    return {
      peer,
      small: new BeatMeter(now),
      full: new BeatMeter(now),
      found: undefined,
      due: this.#deps.now(),
      searching: false,
      nextSearch: 0,
    };
  }

  #askBeat(path: Path): void {
    const { full } = this.#deps;
    path.due = this.#deps.now() + times.interval;
    this.#ask(path, smallestProbe, times.patience, (ms) => this.#heard(path, path.small, ms));
    this.#ask(path, full, times.patience, (ms) => this.#heard(path, path.full, ms));
    const { found } = path;
    if (found) this.#ask(path, found.mtu, times.patience, (ms) => this.#heard(path, found.beat, ms));
  }

  #ask({ peer: { name } }: Path, size: number, patience: number, outcome: Outcome): void {
    const nonce = newNonce();
    const sent = this.#deps.now();
    this.#pending.set(nonce, { peer: name, sent, deadline: sent + patience, outcome });
    this.#deps.send(name, size, nonce);
  }

  #heard(path: Path, meter: BeatMeter, roundTrip: number | undefined): void {
    const { now, date } = this.#deps;
    if (roundTrip === undefined) meter.lost(date());
    else meter.answered(date(), roundTrip);
    if (!meter.settled) path.due = Math.min(path.due, now() + times.soon);
    this.#judge(path);
  }

  #judge(path: Path): void {
    const { small, full, found } = path;
    if (full.beat.state === 'ok') {
      path.nextSearch = 0;
      path.found = undefined;
      if (found) this.#deps.changed();
    }
    if (small.beat.state !== 'ok' || full.beat.state !== 'failing' || path.searching) return;
    const due = found?.beat.beat.state === 'failing' || this.#deps.now() >= path.nextSearch;
    if (due && this.#searches < searches.most) void this.#search(path);
  }

  async #search(path: Path): Promise<void> {
    const { full, now, date, changed } = this.#deps;
    const passes = (size: number) => this.#passes(path, size);
    path.searching = true;
    this.#searches++;
    // It may only be lossy; and while it was away for a moment, every size seemed too large.
    const guess = path.found?.mtu ?? this.#guess;
    const mtu = (await passes(full))
      ? undefined
      : await largestPassing({ low: leastMtu, high: full - 1, guess, passes });
    const sure = mtu !== undefined && !(await passes(mtu + 1));
    this.#searches--;
    path.searching = false;
    path.nextSearch = now() + (sure ? searches.again : searches.soon);
    if (!sure || path.full.beat.state !== 'failing' || path.small.beat.state !== 'ok') return;
    const before = path.found?.mtu;
    path.found = { mtu, beat: new BeatMeter(date()) };
    this.#guess = mtu;
    if (mtu !== before) changed();
  }

  #passes(path: Path, size: number): Promise<boolean> {
    const { roundTripMs = times.patience } = path.small.beat;
    const patience = Math.min(times.patience, 200 + 4 * roundTripMs);
    return new Promise((resolve) => {
      let open = tries;
      for (let i = 0; i < tries; i++) {
        this.#ask(path, size, patience, (ms) => {
          open--;
          if (ms !== undefined) resolve(true);
          else if (open === 0) resolve(false);
        });
      }
    });
  }
}
