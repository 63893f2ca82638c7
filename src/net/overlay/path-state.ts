import type { PathHealth } from '../../model/path-health.ts';
import { vxlanPort } from '../../model/ports.ts';

/** How things stand with another host, and what is the matter, in words; empty when all is well. */
export interface PathState {
  state: 'established' | 'pending' | 'failed';
  text: string;
}

/** What {@link pathState} is made of, for a host that probes are sent to, or not. */
export interface PathFacts {
  address: string;
  /** outside the containers' network */
  underlay: PathHealth['underlay'];
  /** UDP ports by which the hosts reach each other, `6783 and 6784` */
  ports: string;
  /** undefined: it answers no probes */
  health: PathHealth | undefined;
  /** MTU of the containers' network */
  mtu: number;
}

/** Packets inside the network decide; what is heard outside of it only tells why. */
export function pathState({ address, underlay, ports, health, mtu }: PathFacts): PathState {
  const away = `no answer from ${address}; is UDP ${ports} let through on both hosts?`;
  if (health === undefined || health.small.state === 'unknown') {
    if (underlay === 'down') return { state: 'failed', text: away };
    // Nothing inside to go by: it does not take part in that, or has not been asked yet.
    return { state: health === undefined && underlay === 'up' ? 'established' : 'pending', text: '' };
  }
  const { small, full } = health;
  if (small.state === 'failing') {
    const blocked = `its daemon answers, but nothing passes inside the network; is UDP ${vxlanPort} let through on both hosts, and what carries it?`;
    return { state: 'failed', text: `${underlay === 'up' ? blocked : away} (since ${since(small)})` };
  }
  if (full.state !== 'failing') return { state: 'established', text: '' };
  const narrow =
    health.mtu === undefined
      ? `small packets pass, those of ${mtu} bytes do not`
      : `packets over ${health.mtu} bytes do not pass; containers here send it none`;
  return { state: 'established', text: `${narrow} (since ${since(full)})` };
}

function since({ since: ms }: { since: number }): string {
  return new Date(ms).toISOString();
}
