import type {
  AboutView,
  ConditionView,
  ContainerView,
  DoctorView,
  EventView,
  HostView,
  NetworkChange,
  NetworkView,
} from '../report/network.ts';

/** Events that the page keeps. */
const latest = 300;

/** All that the page knows of the network. Each change makes a new one, which shares with the old what is the same. */
export interface Network {
  about: AboutView;
  /** this host first, then by nickname */
  hosts: readonly HostView[];
  hostOf: ReadonlyMap<string, HostView>;
  /** by name */
  containers: readonly ContainerView[];
  containerOf: ReadonlyMap<string, ContainerView>;
  /** host to its containers, by name */
  containersOn: ReadonlyMap<string, readonly ContainerView[]>;
  conditions: readonly ConditionView[];
  healed: readonly ConditionView[];
  doctor: DoctorView;
  /** the newest first */
  events: readonly EventView[];
}

/** The network as it was read. */
export function networkOf(view: NetworkView): Network {
  const hosts = sortHosts(view.hosts, view.about.self);
  const containers = view.containers.toSorted(byName);
  return {
    about: view.about,
    hosts,
    hostOf: new Map(hosts.map((host) => [host.name, host])),
    containers,
    containerOf: new Map(containers.map((each) => [each.id, each])),
    containersOn: grouped(containers),
    conditions: view.conditions,
    healed: view.healed,
    doctor: view.doctor,
    events: view.events.toReversed(),
  };
}

/** The network after a change. */
export function changed(network: Network, change: NetworkChange): Network {
  const { hosts, hostOf } = changedHosts(network, change);
  return {
    ...network,
    ...changedContainers(network, change),
    hosts,
    hostOf,
    conditions: change.conditions ?? network.conditions,
    healed: change.healed ?? network.healed,
    doctor: change.doctor ?? network.doctor,
    events: change.events ? newest(network.events, change.events) : network.events,
  };
}

function changedHosts(network: Network, { hosts, hostNames }: NetworkChange) {
  if (!hosts && !hostNames) return network;
  const hostOf = new Map(network.hostOf);
  for (const host of hosts ?? []) hostOf.set(host.name, host);
  if (hostNames) for (const name of hostOf.keys()) if (!hostNames.includes(name)) hostOf.delete(name);
  return { hosts: sortHosts([...hostOf.values()], network.about.self), hostOf };
}

function changedContainers(network: Network, { containers = [], containersGone = [] }: NetworkChange) {
  if (containers.length + containersGone.length === 0) return {};
  const containerOf = new Map(network.containerOf);
  const added = new Map(containers.map((container) => [container.id, container]));
  for (const id of containersGone) containerOf.delete(id);
  for (const [id, container] of added) containerOf.set(id, container);
  const gone = new Set(containersGone);
  const rest = network.containers.filter(({ id }) => !gone.has(id) && !added.has(id));
  const sorted = merge(rest, [...added.values()].sort(byName));
  return { containers: sorted, containerOf, containersOn: grouped(sorted) };
}

/** Two sorted lists as one: to sort thousands anew for each that starts would show. */
function merge(rest: readonly ContainerView[], added: readonly ContainerView[]): ContainerView[] {
  const merged: ContainerView[] = [];
  let next = 0;
  for (const each of rest) {
    for (let one = added[next]; one && byName(one, each) < 0; one = added[++next]) merged.push(one);
    merged.push(each);
  }
  merged.push(...added.slice(next));
  return merged;
}

/** An event that the page has read with the rest may be told again. */
function newest(known: readonly EventView[], events: readonly EventView[]): EventView[] {
  const last = known[0]?.number ?? 0;
  return [...events.filter(({ number }) => number > last).toReversed(), ...known].slice(0, latest);
}

function sortHosts(hosts: readonly HostView[], self: string): HostView[] {
  const rank = ({ name }: HostView) => Number(name !== self);
  return hosts.toSorted((a, b) => rank(a) - rank(b) || natural.compare(a.nickname, b.nickname));
}

function grouped(containers: readonly ContainerView[]): Map<string, ContainerView[]> {
  const groups = new Map<string, ContainerView[]>();
  for (const container of containers) {
    const group = groups.get(container.host);
    if (group) group.push(container);
    else groups.set(container.host, [container]);
  }
  return groups;
}

/** `web2` before `web10`. */
export const natural = new Intl.Collator('en', { numeric: true });

function byName(a: ContainerView, b: ContainerView): number {
  return natural.compare(a.name, b.name) || (a.id < b.id ? -1 : Number(a.id > b.id));
}
