import type { LaunchConfig } from '../config/config.ts';
import type { EngineClient } from '../docker/client.ts';
import type { HostNetwork } from '../net/host.ts';
import type { Check } from './check.ts';
import { type CarriedDeps, incoming, outgoing, reversePath } from './checks/carried.ts';
import { type ClusterDeps, clock, fullSize, peers, store } from './checks/cluster.ts';
import { encryption } from './checks/encryption.ts';
import { engine } from './checks/engine.ts';
import { forwarding } from './checks/forwarding.ts';
import { type LinksDeps, links, overlay } from './checks/links.ts';
import { type Asker, names } from './checks/names.ts';
import { type NeighboursDeps, neighbours } from './checks/neighbours.ts';
import { type OffloadDeps, offload } from './checks/offload.ts';
import { range } from './checks/range.ts';
import { rules } from './checks/rules.ts';
import { settings } from './checks/settings.ts';
import { tools } from './checks/tools.ts';
import { type UnderlayDeps, underlay } from './checks/underlay.ts';
import type { Streak } from './streak.ts';

/** What can be looked at where no daemon runs. */
export interface LaunchDeps {
  config: LaunchConfig;
  engine: Pick<EngineClient, 'ping' | 'version'>;
  network: HostNetwork;
}

/** What the daemon looks at. */
export type HostDeps = LaunchDeps &
  LinksDeps &
  CarriedDeps &
  ClusterDeps &
  NeighboursDeps &
  OffloadDeps &
  UnderlayDeps & { askers(): readonly Asker[]; rules: { keep(): Promise<boolean>; streak: Streak } };

/** Those that need no daemon. */
export const launchChecks: readonly Check<LaunchDeps>[] = [tools, settings, engine, encryption, range];

/** All, in the order in which one that fails explains those after it. */
export const checks: readonly Check<HostDeps>[] = [
  ...launchChecks,
  links,
  overlay,
  rules,
  forwarding,
  names,
  neighbours,
  underlay,
  outgoing,
  incoming,
  reversePath,
  offload,
  store,
  clock,
  peers,
  fullSize,
];
