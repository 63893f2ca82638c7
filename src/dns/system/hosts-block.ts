const begin = '# begin weavets: made while this host is exposed, and replaced when names change';
/** The line before had no newline, and loses it again with the block. */
const joined = ' (after a line without an end)';
const end = '# end weavets';

/** A name and an address of it. */
export interface HostsEntry {
  address: string;
  /** without the final dot */
  name: string;
}

/**
 * The text of a hosts file with these entries in our block, where that was, or at the end; with none, without our block.
 * All else stays to the character: read it as latin1, one for each byte.
 */
export function editHostsBlock(text: string, entries: readonly HostsEntry[]): string {
  const lines = text.split('\n');
  const block = findBlock(lines);
  if (block === undefined) {
    if (entries.length === 0) return text;
    const open = text !== '' && !text.endsWith('\n');
    return `${text}${open ? '\n' : ''}${[...blockOf(entries, open), ''].join('\n')}`;
  }
  const before = lines.slice(0, block.first);
  const after = lines.slice(block.last + 1);
  if (after.length === 0) after.push('');
  const isJoined = lines[block.first]?.includes(joined) ?? false;
  if (entries.length > 0) return [...before, ...blockOf(entries, isJoined), ...after].join('\n');
  // What others added after the block needs the line break.
  return isJoined && after.length === 1 && after[0] === ''
    ? before.join('\n')
    : [...before, ...after].join('\n');
}

function blockOf(entries: readonly HostsEntry[], open: boolean): string[] {
  return [`${begin}${open ? joined : ''}`, ...entries.map(({ address, name }) => `${address}\t${name}`), end];
}

/** The last beginning that has an end: one without, perhaps left by hand, is a comment. */
function findBlock(lines: readonly string[]): { first: number; last: number } | undefined {
  let first = -1;
  let found: { first: number; last: number } | undefined;
  for (const [at, line] of lines.entries()) {
    if (line.startsWith(begin)) first = at;
    if (first < 0 || line.trimEnd() !== end) continue;
    found = { first, last: at };
    first = -1;
  }
  return found;
}
