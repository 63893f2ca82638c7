import type { ContainerView, HostView, NameView } from '../report/network.ts';

/** Says whether something is meant by what was typed: each of its words is in a name, an address, an id or a state. */
export interface Search {
  /** nothing was typed: all is meant */
  all: boolean;
  container(container: ContainerView, host: HostView | undefined): boolean;
  host(host: HostView): boolean;
  name(name: NameView, owner: string): boolean;
  text(text: string): boolean;
}

export function searchFor(typed: string): Search {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (parts: readonly string[]) => {
    const all = parts.join('\n').toLowerCase();
    return words.every((word) => all.includes(word));
  };
  return {
    all: words.length === 0,
    container: ({ id, name, addresses, mac, names, state, reason }, host) =>
      words.length === 0 ||
      text([
        ...[name, id, mac, stateWords[state], reason, host?.nickname ?? '', host?.address ?? ''],
        ...addresses,
        ...names.map((each) => each.name),
      ]),
    host: ({ name, nickname, address, addresses }) => text([name, nickname, address, ...addresses]),
    name: ({ name, address }, owner) => text([name, address, owner]),
    text: (line) => text([line]),
  };
}

/** What a state is called. */
export const stateWords: Readonly<Record<ContainerView['state'], string>> = {
  attached: 'attached',
  unattached: 'not attached',
  stopped: 'stopped',
};
