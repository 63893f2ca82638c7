import type { Verdict } from '../model/verdict.ts';

/** The network as one host sees it, in the shape that its page reads: `/network`, and what changes in `/network/events`. */
export interface NetworkView {
  /** number of the last change that is in it: later ones are to be applied to it */
  sequence: number;
  about: AboutView;
  hosts: HostView[];
  containers: ContainerView[];
  conditions: ConditionView[];
  /** what was wrong on this host within the last hour, and has been repaired */
  healed: ConditionView[];
  doctor: DoctorView;
  /** what happened of late, the oldest first */
  events: EventView[];
}

/** What changed. An entity stands here whole, in place of what was known of it; what is absent has not changed. */
export interface NetworkChange {
  sequence: number;
  hosts?: HostView[];
  /** all hosts that there are, if some went */
  hostNames?: string[];
  containers?: ContainerView[];
  /** ids */
  containersGone?: string[];
  conditions?: ConditionView[];
  healed?: ConditionView[];
  doctor?: DoctorView;
  events?: EventView[];
}

/** This host, and what holds for all of them. */
export interface AboutView {
  version: string;
  /** name of the host that tells all this */
  self: string;
  /** empty: DNS is off */
  domain: string;
  /** empty: no addresses are given by themselves */
  range: string;
  encryption: boolean;
}

export interface HostView {
  /** MAC, or what `--name` said */
  name: string;
  nickname: string;
  /** in the underlay; empty: not known */
  address: string;
  /** whether its daemon runs */
  alive: boolean;
  /** the host's own addresses in the network, without prefix */
  addresses: string[];
  /** names that belong to no container */
  names: NameView[];
  /** how it is reached from here; null: it is here, or gone */
  path: PathView | null;
}

export interface PathView {
  state: 'established' | 'pending' | 'failed';
  carrier: 'vxlan' | 'encrypted wireguard';
  /** what is the matter; empty when all is well */
  text: string;
  roundTripMs?: number;
  mtu?: number;
  /** of 0 to 1 */
  loss?: number;
}

export interface ContainerView {
  /** 64 hex digits */
  id: string;
  /** as its engine calls it; of another host's, the first of its names */
  name: string;
  /** name of its host */
  host: string;
  /** `unattached`: it runs; `stopped`: it does not */
  state: 'attached' | 'unattached' | 'stopped';
  /** on its own host with prefix, `10.32.0.1/12` */
  addresses: string[];
  mac: string;
  names: NameView[];
  /** why it is not attached, or what does not work though it is; empty: all is well, or it just ended */
  reason: string;
}

export interface NameView {
  /** without the final dot */
  name: string;
  address: string;
}

export interface ConditionView {
  code: string;
  about: string;
  text: string;
  /** ms since 1970 */
  since: number;
}

/** What the doctor last found on this host, by the checks that `weavets doctor` runs. */
export interface DoctorView {
  /** when all of them had been run, ms since 1970; some run more often; null: not yet since the daemon started */
  at: number | null;
  checks: CheckView[];
}

export type CheckView = Verdict;

/** Something that happened. */
export interface EventView {
  /** counts up; tells one from the next */
  number: number;
  /** ms since 1970 */
  at: number;
  level: 'info' | 'warning' | 'error';
  /** `attached as 10.32.0.1/12` */
  text: string;
  /** what it is about: a container's id, a host's name; empty: this host */
  subject: string;
  /** what that was called then */
  name: string;
}
