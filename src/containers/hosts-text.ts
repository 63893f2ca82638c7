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

/** What a hosts file has of us. */
export interface HostsLines {
  lines: readonly string[];
  /** names in the engine's line for the container, as it wrote them and as they are now, if they differ */
  renamed?: { was: string; is: string } | undefined;
}

/**
 * Puts our lines into a hosts file: `ADDRESS FQDN NAME`, before the engine's own line for the container. That one has
 * the hostname of create; where it was made of a name that is another container's by now, it gets the present one. All
 * other lines stay as they are, byte for byte, and a name that one of them gives to an address is not ours to give.
 * @param text the file, one byte a character
 * @param before what we put there the last time
 * @returns the file, and what is ours of it
 */
export function editHosts(
  text: string,
  before: HostsLines,
  wish: HostsWish,
): { text: string; ours: HostsLines } {
  const all = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const engineNames = [...engineNamesOf(wish.hostname), ...(before.renamed ? [before.renamed.is] : [])];
  const isEngines = (line: string) => engineNames.includes(namesPart(line));
  const lines = ourLines(all, before.lines, wish, isEngines);
  const leaving = [...new Set([...before.lines, ...lines])];
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
  const engines = others.findIndex(isEngines);
  const { renamed, line } = renameEngines(others[engines] ?? '', before.renamed?.was, wish);
  if (engines !== -1) others[engines] = line;
  // A last line without a newline is being written by someone.
  const end = others.at(-1)?.endsWith('\n') === false ? others.length - 1 : others.length;
  const at = Math.min(place ?? end, engines === -1 ? end : engines);
  const added = lines.map((each) => `${each}\n`);
  const edited = [...others.slice(0, at), ...added, ...others.slice(at)].join('');
  return { text: edited, ours: { lines, renamed } };
}

/** The engine's line with the present names of a container. @param was its names, where they are changed already */
function renameEngines(
  line: string,
  was = namesPart(line),
  { hostname, called, domain }: HostsWish,
): { line: string; renamed: HostsLines['renamed'] } {
  const is = called === hostname ? was : namesOf(called, domain).join(' ');
  const renamed = is === was || line === '' ? undefined : { was, is };
  return { renamed, line: line.slice(0, line.indexOf('\t') + 1) + is + (line.endsWith('\n') ? '\n' : '') };
}

function ourLines(
  all: readonly string[],
  before: readonly string[],
  { called, domain, addresses, extraHosts, addHosts }: HostsWish,
  isEngines: (line: string) => boolean,
): string[] {
  const others = all.filter((line) => !before.includes(line.replace(/\n$/, '')));
  const added = addHosts.map(entryOf).map(({ name, address }) => `${address}\t${name}`);
  const inNames = (name: string) => addresses.map((address) => `${address}\t${name}`);
  const every = namesOf(called, domain);
  // A line just like ours counts as ours, even without a record.
  const ours = new Set([...added, ...inNames(every.join(' '))]);
  const taken = new Set(
    [
      ...others.filter((line) => !isEngines(line) && !ours.has(line.replace(/\n$/, ''))).flatMap(namesIn),
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

/** Names in the engine's line for the container: hostname and, if that has a dot, first label; Podman adds the name. */
function engineNamesOf(hostname: string): string[] {
  const [label = ''] = hostname.split('.');
  if (label === '') return [];
  return label === hostname ? [hostname, `${hostname} ${hostname}`] : [`${hostname} ${label}`];
}

/** `172.17.0.2\tc1.weave.local c1` -> `c1.weave.local c1` */
function namesPart(line: string): string {
  return line.slice(line.indexOf('\t') + 1).replace(/\n$/, '');
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
