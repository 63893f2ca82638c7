import type { ContainerEvent } from '../docker/events.ts';
import type { EventView } from '../report/network.ts';

/** Events that are kept: of all together, of each container, and of how many containers. */
const limits = { latest: 300, each: 60, containers: 2_000 };

/** What {@link History.add} is told. */
export type Happening = Pick<EventView, 'subject' | 'text'> & Partial<Pick<EventView, 'name' | 'level'>>;

/** What happened to containers, and to the network, since the daemon started: in memory, and bounded. */
export class History {
  readonly #latest: EventView[] = [];
  /** by subject; the one that nothing has happened to for longest is first */
  readonly #subjects = new Map<string, readonly EventView[]>();
  #number = 0;
  #told: (event: EventView) => void = () => {};

  /** Tells of each event from here on. */
  follow(told: (event: EventView) => void): void {
    this.#told = told;
  }

  /** @param happening without a name, its subject is called as before */
  add(happening: Happening): void {
    const event = this.mention(happening);
    const { subject } = event;
    const events = [...(this.#subjects.get(subject) ?? []), event].slice(-limits.each);
    // Deleted first: what is set anew comes last.
    this.#subjects.delete(subject);
    this.#subjects.set(subject, events);
    for (const [oldest] of this.#subjects) {
      if (this.#subjects.size <= limits.containers) break;
      this.#subjects.delete(oldest);
    }
  }

  /** As {@link add}, but kept among the latest only: other hosts' containers must not push out this one's. */
  mention({ subject, text, name, level = 'info' }: Happening): EventView {
    const known = name || this.of(subject).at(-1)?.name || '';
    const event = { number: ++this.#number, at: Date.now(), level, text, subject, name: known };
    this.#latest.push(event);
    if (this.#latest.length > limits.latest) this.#latest.shift();
    this.#told(event);
    return event;
  }

  /** What the engine tells of a container. */
  noticed({ action, id: subject, name, oldName, exitCode }: ContainerEvent): void {
    if (action === 'start') this.add({ subject, name, text: 'started' });
    if (action === 'die') {
      const code = exitCode === undefined ? '' : ` with exit code ${exitCode}`;
      this.add({ subject, name, text: `ended${code}` });
    }
    if (action === 'rename') this.add({ subject, name, text: `renamed from ${oldName ?? 'another name'}` });
    if (action === 'destroy') this.add({ subject, name, text: 'removed' });
  }

  /** Of one container or host, the oldest first. */
  of(subject: string): readonly EventView[] {
    return this.#subjects.get(subject) ?? this.#latest.filter((event) => event.subject === subject);
  }

  /** Of all, the oldest first. */
  latest(): readonly EventView[] {
    return this.#latest;
  }
}
