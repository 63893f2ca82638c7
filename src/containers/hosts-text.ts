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
  /** true for an address that the container does not have */
  isGone?: (address: string) => boolean;
}

/** What a hosts file has of us. */
export interface HostsLines {
  lines: readonly string[];
  /** names in the engine's lines for the container, as it wrote them and as they are now, if they differ */
  renamed?: { was: string; is: string } | undefined;
}

/**
 * Puts our lines into a hosts file: `ADDRESS FQDN NAME`, before the engine's own lines for the container. Those have
 * the hostname of create; where it was made of a name that may be another container's by now, they get the present one.
 * All other lines stay as they are, byte for byte, and a name that one of them gives to an address is not ours to give.
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
  const { hostname, called, domain, isGone } = wish;
  const made = engineNamesOf(hostname);
  const is = called === hostname ? undefined : namesOf(called, domain).join(' ');
  const engineNames = new Set([...made, ...(before.renamed ? [before.renamed.is] : []), ...(is ? [is] : [])]);
  const isEngines = (line: string) => hasNames(line, engineNames);
  const changed = new Set(before.renamed && [before.renamed.is]);
  const lines = ourLines(all, before.lines, wish, isEngines);
  const leaving = [...new Set([...before.lines, ...lines])];
  const others: string[] = [];
  let place: number | undefined;
  for (const line of all) {
    const mine = leaving.indexOf(line.replace(/\n$/, ''));
    // The engine does not know a line of its own that was changed, and leaves it when its network goes.
    const isLeft = hasNames(line, changed) && isGone?.(addressPart(line));
    if (mine === -1 && !isLeft) others.push(line);
    else {
      // Each once: a user's line may look like ours.
      if (mine !== -1) leaving.splice(mine, 1);
      place ??= others.length;
    }
  }
  const engines = others.findIndex(isEngines);
  const found = namesPart(others[engines] ?? '') ?? '';
  const was = before.renamed?.was ?? (made.includes(found) ? found : (made[0] ?? found));
  const renamed = engines === -1 || is === undefined || is === was ? undefined : { was, is };
  const now = others.map((line) =>
    isEngines(line) && (renamed || hasNames(line, changed)) ? withNames(line, is ?? was) : line,
  );
  // A last line without a newline is being written by someone.
  const end = now.at(-1)?.endsWith('\n') === false ? now.length - 1 : now.length;
  const at = Math.min(place ?? end, engines === -1 ? end : engines);
  const added = lines.map((line) => `${line}\n`);
  const edited = [...now.slice(0, at), ...added, ...now.slice(at)].join('');
  return { text: edited, ours: { lines, renamed } };
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

/** `172.17.0.2\tc1.weave.local c1` -> `c1.weave.local c1`; undefined for a line of another form */
function namesPart(line: string): string | undefined {
  return /^[^\t]+\t([^\t]+)$/.exec(line.replace(/\n$/, ''))?.[1];
}

function hasNames(line: string, names: ReadonlySet<string>): boolean {
  const part = namesPart(line);
  return part !== undefined && names.has(part);
}

function addressPart(line: string): string {
  return line.slice(0, line.indexOf('\t'));
}

function withNames(line: string, names: string): string {
  return `${addressPart(line)}\t${names}${line.endsWith('\n') ? '\n' : ''}`;
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
