/** What a container's hosts file should say about its weave addresses. */
export interface HostsWish {
  /** full hostname that the container was made with, which the engine's line has: `bbox1.weave.local` */
  hostname: string;
  /** what it is called now */
  called: string;
  /** `weave.local.` */
  domain: string;
  addresses: readonly string[];
  /** `name:ip` of the engine's --add-host: the user's names, which stay theirs */
  extraHosts: readonly string[];
  /** further lines, `name:ip` */
  addHosts: readonly string[];
}

/**
 * Puts our lines into a hosts file: `ADDRESS FQDN NAME`, before the engine's own line for the container. All other
 * lines stay as they are, byte for byte, and a name that one of them gives to an address is not ours to give.
 * @param text the file, one byte a character
 * @param before the lines that we put there the last time
 * @returns the file, and the lines of it that are ours
 */
export function editHosts(
  text: string,
  before: readonly string[],
  wish: HostsWish,
): { text: string; lines: string[] } {
  const all = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const lines = ourLines(all, before, wish);
  const leaving = [...new Set([...before, ...lines])];
  const others: string[] = [];
  let place: number | undefined;
  for (const line of all) {
    const mine = leaving.indexOf(line.replace(/\n$/, ''));
    if (mine === -1) others.push(line);
    else {
      // Each once: a user's line may look like ours.
      leaving.splice(mine, 1);
      place ??= others.length;
    }
  }
  const engines = others.findIndex((line) => isEngines(line, wish.hostname));
  // A last line without a newline is being written by someone.
  const end = others.at(-1)?.endsWith('\n') === false ? others.length - 1 : others.length;
  const at = Math.min(place ?? end, engines === -1 ? end : engines);
  const added = lines.map((line) => `${line}\n`);
  return { text: [...others.slice(0, at), ...added, ...others.slice(at)].join(''), lines };
}

function ourLines(
  all: readonly string[],
  before: readonly string[],
  { hostname, called, domain, addresses, extraHosts, addHosts }: HostsWish,
): string[] {
  const others = all.filter((line) => !before.includes(line.replace(/\n$/, '')));
  const added = addHosts.map(entryOf).map(({ name, address }) => `${address}\t${name}`);
  const inNames = (name: string) => addresses.map((address) => `${address}\t${name}`);
  const every = namesOf(called, domain);
  // A line just like ours counts as ours, even without a record.
  const ours = new Set([...added, ...inNames(every.join(' '))]);
  const taken = new Set(
    [
      ...others
        .filter((line) => !isEngines(line, hostname) && !ours.has(line.replace(/\n$/, '')))
        .flatMap(namesIn),
      ...[...extraHosts, ...addHosts].map((entry) => entryOf(entry).name),
    ].map((name) => name.toLowerCase()),
  );
  const names = every.filter((name) => !taken.has(name.toLowerCase()));
  return [...added, ...(names.length > 0 ? inNames(names.join(' ')) : [])];
}

/** `web.v1.weave.local` -> that and `web.v1`; outside of our domain the first label is the short name. */
function namesOf(hostname: string, domain: string): string[] {
  const ending = `.${domain.replace(/\.$/, '')}`;
  const short = hostname.toLowerCase().endsWith(ending)
    ? hostname.slice(0, -ending.length)
    : (hostname.split('.')[0] ?? '');
  return short === '' || short === hostname ? [hostname] : [hostname, short];
}

/** The engine's line for the container: its hostname and, if that has a dot, its first label; Podman adds the name. */
function isEngines(line: string, hostname: string): boolean {
  const [label] = hostname.split('.');
  const names = label === hostname ? [hostname, `${hostname} ${hostname}`] : [`${hostname} ${label}`];
  return names.some((own) => line.replace(/\n$/, '').endsWith(`\t${own}`));
}

function namesIn(line: string): string[] {
  return line
    .replace(/#.*/s, '')
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(1);
}

/** `name:ip` or `name=ip`, as docker takes both. */
function entryOf(entry: string): { name: string; address: string } {
  const end = entry.search(/[:=]/);
  return { name: entry.slice(0, end), address: entry.slice(end + 1) };
}
