import type { Report } from './report.ts';

interface Entry {
  id: string;
  name: string;
  mac: string;
  cidrs: string[];
}

interface Row {
  id: string;
  name: string;
  host: string;
  addresses: string[];
  mac: string | null;
}

/** This host's containers, and those of the others, of which their names tell; by host, then by name. */
export function rowsOf(entries: readonly Entry[], { Router, DNS }: Report): Row[] {
  const own = entries
    .filter(({ cidrs }) => cidrs.length > 0)
    .map(({ id, name, mac, cidrs }) => ({ id, name, host: Router.NickName, addresses: cidrs, mac }));
  const nicknames = new Map(Router.Peers.map(({ Name, NickName }) => [Name, NickName]));
  const others = new Map<string, Row>();
  const suffix = `.${DNS?.Domain ?? ''}`;
  for (const { Hostname, Origin, ContainerID, Address } of DNS?.Entries ?? []) {
    if (Origin === Router.Name) continue;
    const key = `${Origin} ${ContainerID}`;
    const name = Hostname.endsWith(suffix) ? Hostname.slice(0, -suffix.length) : Hostname.slice(0, -1);
    const row = others.get(key);
    if (row === undefined) {
      const host = nicknames.get(Origin) ?? Origin;
      others.set(key, { id: ContainerID, name, host, addresses: [Address], mac: null });
      continue;
    }
    if (!row.addresses.includes(Address)) row.addresses.push(Address);
    // That of a service has a dot more.
    if (labels(name) < labels(row.name)) row.name = name;
  }
  const order = (a: Row, b: Row) => (a.host + a.name < b.host + b.name ? -1 : 1);
  return [...own.sort(order), ...[...others.values()].sort(order)];
}

function labels(name: string): number {
  return name.split('.').length;
}
