import type { ClusterFollower } from '../cluster/registration.ts';
import type { History } from '../containers/history.ts';
import type { ContainerEvent } from '../docker/events.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { Conditions } from '../model/conditions.ts';
import { isContainer } from '../model/owner.ts';
import type { ContainerView, EventView, NetworkChange, NetworkView } from '../report/network.ts';
import type { NetworkViewer } from './network-viewer.ts';

/** What {@link NetworkChanges} needs. */
export interface NetworkChangesDeps {
  viewer: Pick<
    NetworkViewer,
    'about' | 'hosts' | 'conditions' | 'healed' | 'doctor' | 'containers' | 'container' | 'remote'
  >;
  history: History;
  conditions: Pick<Conditions, 'follow'>;
  /** resolves when what is under way for a container has ended */
  settled: (id: string) => Promise<void>;
  /** called often while somebody follows */
  visited: () => void;
  /** who is told */
  clients: { readonly size: number; publish(event: string, data: unknown): void };
  logger: Logger;
}

/** What is looked at as a whole, and sent where it differs. */
type State = Pick<NetworkView, 'conditions' | 'healed' | 'doctor'>;

/** ms between messages: many containers that start at once are reported together. */
const gap = 20;
/** ms between looks at what sends no events: the paths to the other hosts. */
const lookPause = 2_000;

/** Tells followers of the network what changes in it. Without any, it costs nothing. */
export class NetworkChanges {
  readonly #deps: NetworkChangesDeps;
  /** containers of this host still to be looked at */
  readonly #touched = new Set<string>();
  /** containers of other hosts: null is one that has gone */
  readonly #remote = new Map<string, ContainerView | null>();
  #events: EventView[] = [];
  /** as last sent, in JSON; undefined: send everything */
  #hosts: ReadonlyMap<string, string> | undefined;
  /** the rest of what is looked at, as last sent, in JSON */
  readonly #state = new Map<string, string>();
  #look = false;
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #looker: NodeJS.Timeout;
  #closed = false;

  constructor(deps: NetworkChangesDeps) {
    this.#deps = deps;
    const { history, conditions } = deps;
    history.follow((event) => {
      if (!this.#watched) return;
      this.#events.push(event);
      this.#touch(event.subject);
    });
    conditions.follow(({ text }, isNow) => {
      history.add(
        isNow ? { subject: '', level: 'warning', text } : { subject: '', text: `no longer: ${text}` },
      );
      this.#touch('');
    });
    this.#looker = setInterval(() => this.#visit(), lookPause).unref();
  }

  /** Adds a follower. @returns what to send it first */
  begin(): { sequence: number } {
    // What others were last sent may not be what this one has read.
    this.#hosts = undefined;
    this.#state.clear();
    this.#visit();
    return { sequence: this.#sequence };
  }

  /** The engine told of a container: it is shown as it is now, and as it is once that was dealt with. */
  noticed(event: ContainerEvent): void {
    this.#deps.history.noticed(event);
    this.#touch(event.id);
    void this.#deps.settled(event.id).then(() => this.#touch(event.id));
  }

  /** What the cluster tells of other hosts. @param nicknameOf of a host */
  follower(nicknameOf: (host: string) => string): ClusterFollower {
    const { history, viewer } = this.#deps;
    return {
      aliveChanged: (host, isAlive) => {
        const [level, text] = isAlive ? (['info', 'is up'] as const) : (['warning', 'is gone'] as const);
        history.add({ subject: host, name: nicknameOf(host), level, text });
      },
      linkChanged: (key, link) => {
        const view = link && viewer.remote(key, link);
        if (!isContainer(key.container)) return this.#touch('');
        const on = `on ${nicknameOf(key.host)}`;
        const text = view ? `${on}: ${view.addresses.join(', ')}` : `${on}: gone`;
        if (this.#watched) this.#remote.set(key.container, view ?? null);
        history.mention({ subject: key.container, name: view?.name, text });
      },
    };
  }

  /** All there is now. */
  async view(): Promise<NetworkView> {
    const { viewer, history } = this.#deps;
    // Before all else: what changes meanwhile is told with a higher number.
    const sequence = this.#sequence;
    const events = [...history.latest()];
    const containers = await viewer.containers();
    const { about } = viewer;
    return { sequence, about, hosts: viewer.hosts(), containers, ...this.#stateNow(), events };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#looker);
  }

  get #watched(): boolean {
    return this.#deps.clients.size > 0 && !this.#closed;
  }

  #visit(): void {
    if (this.#watched) this.#deps.visited();
    this.#touch('');
  }

  #stateNow(): State {
    const { viewer } = this.#deps;
    return { conditions: viewer.conditions(), healed: viewer.healed(), doctor: viewer.doctor() };
  }

  /** @param subject a container; anything else: the hosts are to be looked at */
  #touch(subject: string): void {
    if (!this.#watched) return;
    if (!isContainer(subject)) this.#look = true;
    else if (!this.#remote.has(subject)) this.#touched.add(subject);
    this.#timer ??= setTimeout(() => void this.#tell(), 0);
  }

  async #tell(): Promise<void> {
    try {
      const change = await this.#collect();
      if (Object.keys(change).length > 0) {
        this.#deps.clients.publish('change', { sequence: ++this.#sequence, ...change });
      }
    } catch (error) {
      this.#deps.logger.error({ reason: messageOf(error) }, 'cannot tell a page of a change');
    }
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#touched.size + this.#remote.size + this.#events.length > 0 || this.#look) void this.#tell();
    }, gap);
  }

  /** What has changed since it was last asked. */
  async #collect(): Promise<Omit<NetworkChange, 'sequence'>> {
    const change: Omit<NetworkChange, 'sequence'> = {};
    const { viewer } = this.#deps;
    const [touched, remote, events, look] = [[...this.#touched], [...this.#remote], this.#events, this.#look];
    this.#touched.clear();
    this.#remote.clear();
    this.#events = [];
    this.#look = false;
    const own = await Promise.all(touched.map(async (id) => [id, await viewer.container(id)] as const));
    const containers = [...own, ...remote];
    const present = containers.flatMap(([, view]) => view ?? []);
    const gone = containers.flatMap(([id, view]) => (view ? [] : id));
    if (present.length > 0) change.containers = present;
    if (gone.length > 0) change.containersGone = gone;
    if (events.length > 0) change.events = events;
    if (look) Object.assign(change, this.#changedHosts(), this.#changedState());
    return change;
  }

  #changedHosts(): Pick<NetworkChange, 'hosts' | 'hostNames'> {
    const hosts = this.#deps.viewer.hosts();
    const now = new Map(hosts.map((host) => [host.name, JSON.stringify(host)]));
    const before = this.#hosts;
    const changed = hosts.filter(({ name }) => now.get(name) !== before?.get(name));
    const gone = before === undefined || [...before.keys()].some((name) => !now.has(name));
    this.#hosts = now;
    return {
      ...(changed.length > 0 && { hosts: changed }),
      ...(gone && { hostNames: [...now.keys()] }),
    };
  }

  #changedState(): Partial<State> {
    const changed = Object.entries(this.#stateNow()).filter(([part, value]) => {
      const text = JSON.stringify(value);
      const differs = text !== this.#state.get(part);
      this.#state.set(part, text);
      return differs;
    });
    return Object.fromEntries(changed);
  }
}
