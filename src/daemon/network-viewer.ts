import { exposeOwner } from '../containers/exposer.ts';
import type { NameTable } from '../dns/names.ts';
import type { ContainerInfo, ListedContainer } from '../docker/types.ts';
import { messageOf } from '../lib/errors.ts';
import { eachOf } from '../lib/lock.ts';
import type { Cidr } from '../model/address.ts';
import type { Condition } from '../model/conditions.ts';
import { isContainer } from '../model/owner.ts';
import type { PeerEndpoint, PeerState } from '../net/overlay/datapath.ts';
import type {
  AboutView,
  ConditionView,
  ContainerView,
  DoctorView,
  EventView,
  HostView,
  NameView,
  PathView,
} from '../report/network.ts';
import type { Link, LinkKey } from '../store/records/link.ts';

/** What {@link NetworkViewer} looks at. */
export interface NetworkViewerDeps {
  about: AboutView;
  /** this host */
  self: { nickname: string; address: string };
  engine: {
    inspect(id: string): Promise<ContainerInfo | undefined>;
    list(options: { all: boolean }): Promise<ListedContainer[]>;
  };
  reconciler: { reason(info: ContainerInfo): string | undefined };
  attachments: {
    get(id: string): { info: ContainerInfo; mac: string; cidrs: readonly Cidr[] } | undefined;
    list(): { info: ContainerInfo }[];
  };
  naming: { warnings(info: ContainerInfo): string[] };
  names: NameTable;
  exposer: { list(): Cidr[] };
  /** undefined: this host is alone */
  cluster:
    | {
        allPeers(): PeerEndpoint[];
        isAlive(name: string): boolean;
        links(): readonly { key: LinkKey; value: Link }[];
      }
    | undefined;
  paths: () => readonly PeerState[];
  conditions: { list(): Condition[]; listHealed(): Condition[] };
  checkup: { last(): DoctorView };
  history: { of(subject: string): readonly EventView[] };
}

/** Containers that the engine is asked about at the same time. */
const width = 8;

/** Puts together what the page shows, from the parts of the daemon that know it. */
export class NetworkViewer {
  readonly #deps: NetworkViewerDeps;

  constructor(deps: NetworkViewerDeps) {
    this.#deps = deps;
  }

  get about(): AboutView {
    return this.#deps.about;
  }

  /** This host first. */
  hosts(): HostView[] {
    const { about, self, names, exposer, cluster, paths } = this.#deps;
    const external = names
      .list({ origin: about.self })
      .filter(({ containerId }) => !isContainer(containerId))
      .map(nameOf);
    const own: HostView = {
      ...self,
      name: about.self,
      alive: true,
      addresses: exposer.list().map(({ address }) => address),
      names: external,
      path: null,
    };
    if (cluster === undefined) return [own];
    const words = cluster.links().filter(({ key }) => !isContainer(key.container));
    const pathTo = new Map(paths().map((state) => [state.peer.name, pathOf(state)]));
    const others = cluster.allPeers().map(({ name, nickname, address }): HostView => {
      const links = words.filter(({ key }) => key.host === name);
      const exposed = links.find(({ key }) => key.container === exposeOwner);
      const alive = cluster.isAlive(name);
      return {
        name,
        nickname,
        address,
        alive,
        addresses: [...(exposed?.value.ips ?? [])],
        names: links.flatMap(({ value }) => value.names.map(nameOf)),
        path: alive ? (pathTo.get(name) ?? null) : null,
      };
    });
    return [own, ...others];
  }

  conditions(): ConditionView[] {
    return this.#deps.conditions.list().map(conditionOf);
  }

  /** What was wrong of late, and has been repaired. */
  healed(): ConditionView[] {
    return this.#deps.conditions.listHealed().map(conditionOf);
  }

  /** What the doctor found last. */
  doctor(): DoctorView {
    return this.#deps.checkup.last();
  }

  /** All of all hosts; of other hosts those that are attached. */
  async containers(): Promise<ContainerView[]> {
    const { engine, attachments, cluster } = this.#deps;
    const attached = attachments.list().map(({ info }) => info.id);
    // What is attached is shown while the engine is away.
    const listed = await engine.list({ all: true }).catch(() => []);
    const views: ContainerView[] = [];
    await eachOf([...new Set([...attached, ...listed.map(({ id }) => id)])], width, async (id) => {
      const view = await this.container(
        id,
        listed.find((each) => each.id === id),
      );
      if (view) views.push(view);
    });
    const others = (cluster?.links() ?? []).map(({ key, value }) => this.remote(key, value));
    return [...views, ...others.filter((view) => view !== undefined)].sort((a, b) => order(a.name, b.name));
  }

  /** One of this host. @param listed as a list has it, where there is one @returns undefined: it is gone */
  async container(id: string, listed?: ListedContainer): Promise<ContainerView | undefined> {
    const { about, engine, reconciler, attachments, naming, names } = this.#deps;
    const view = (name: string, state: ContainerView['state'], reason: string): ContainerView => {
      return { id, name, host: about.self, state, addresses: [], mac: '', names: [], reason };
    };
    const attachment = attachments.get(id);
    if (attachment) {
      const { info, mac, cidrs } = attachment;
      const warnings = about.domain === '' ? [] : naming.warnings(info);
      return {
        ...view(info.name, 'attached', warnings.join('; ')),
        mac,
        addresses: cidrs.map(String),
        names: names.list({ containerId: id, origin: about.self }).map(nameOf),
      };
    }
    // Most of those that don't run need no more than the list.
    if (listed && !listed.running) return view(listed.name, 'stopped', this.#refusal(id));
    try {
      const info = await engine.inspect(id);
      if (info === undefined) return undefined;
      if (!info.running) return view(info.name, 'stopped', this.#refusal(id));
      return view(info.name, 'unattached', reconciler.reason(info) ?? '');
    } catch (error) {
      const name = listed?.name || this.#deps.history.of(id).at(-1)?.name || id.slice(0, 12);
      return view(name, 'unattached', messageOf(error));
    }
  }

  /** One of another host; undefined: it is none, or not attached. */
  remote({ host, container: id }: LinkKey, link: Link): ContainerView | undefined {
    if (!isContainer(id) || link.mac === null) return undefined;
    const names = link.names.map(nameOf);
    const [own] = names.toSorted((a, b) => a.name.split('.').length - b.name.split('.').length);
    const name = own?.name.split('.')[0] ?? id.slice(0, 12);
    return {
      id,
      name,
      host,
      state: 'attached',
      addresses: [...link.ips],
      mac: link.mac,
      names,
      reason: '',
    };
  }

  /** Why the last attempt to start it failed, if that is the last that was heard of it. */
  #refusal(id: string): string {
    const last = this.#deps.history.of(id).at(-1);
    return last?.level === 'error' ? last.text : '';
  }
}

function conditionOf({ since, ...condition }: Condition): ConditionView {
  return { ...condition, since: since.getTime() };
}

function nameOf({ hostname, address }: { hostname: string; address: string }): NameView {
  return { name: hostname.replace(/\.$/, ''), address };
}

function pathOf({ state, carrier, text, mtu, health }: PeerState): PathView {
  return {
    state,
    carrier,
    text,
    mtu,
    roundTripMs: health?.small.roundTripMs,
    loss: health && Math.max(health.small.loss, health.full.loss),
  };
}

const order = (a: string, b: string) => (a < b ? -1 : Number(a > b));
