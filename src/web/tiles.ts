import type { ContainerView, HostView } from '../report/network.ts';
import type { Network } from './network.ts';
import type { Search } from './search.ts';

/** A host on the map. */
export interface HostTile {
  host: HostView;
  /** all that it has */
  containers: readonly ContainerView[];
  /** those that are searched for; all of them where nothing is */
  found: readonly ContainerView[];
  /** it is searched for, or has what is */
  meant: boolean;
}

/** Of more containers than this, hosts are drawn alone at first. */
const fewContainers = 60;
/** More hosts than this are a large network. */
const manyHosts = 12;
/** What of a host's containers is drawn as dots. */
const mostDots = 240;
/** Dots in a row, and px from one to the next. */
const dots = { row: 20, pitch: 8 };

export function tilesOf(network: Network, search: Search): HostTile[] {
  return network.hosts.map((host) => {
    const containers = network.containersOn.get(host.name) ?? [];
    const isHost = search.host(host);
    const found =
      search.all || isHost ? containers : containers.filter((each) => search.container(each, host));
    return { host, containers, found, meant: isHost || found.length > 0 };
  });
}

/** Many hosts are drawn small. */
export function sizeOf(hosts: number): 'one' | 'few' | 'many' {
  if (hosts === 1) return 'one';
  return hosts > manyHosts ? 'many' : 'few';
}

/** Whether containers are named, or of what is searched for, where nobody has chosen. */
export function isOpen({ containers }: Network, search: Search, tiles: readonly HostTile[]): boolean {
  const shown = search.all ? containers.length : tiles.reduce((sum, { found }) => sum + found.length, 0);
  return shown <= fewContainers;
}

/** One path for each state: thousands of dots are a few elements. */
export function dotPaths(containers: readonly ContainerView[]) {
  const shown = containers.slice(0, mostDots);
  const paths = new Map<ContainerView['state'], string>();
  shown.forEach(({ state }, index) => {
    const x = (index % dots.row) * dots.pitch + dots.pitch / 2;
    const y = Math.floor(index / dots.row) * dots.pitch + dots.pitch / 2;
    paths.set(state, `${paths.get(state) ?? ''}M${x} ${y}h0`);
  });
  return {
    paths: [...paths].map(([state, path]) => ({ state, path })),
    width: dots.row * dots.pitch,
    height: Math.ceil(shown.length / dots.row) * dots.pitch,
  };
}
