import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

// What the kernel tells of this host's links: read at once, as each file takes some ten microseconds.

const folderOf = (link: string) => `/sys/class/net/${link}`;

export function linkNames(): string[] {
  return readdirSync(folderOf(''));
}

export function linkExists(name: string): boolean {
  return existsSync(folderOf(name));
}

/** Text of one of a link's files; empty when the link has gone. @param file `ifindex`, `master/ifindex` */
export function linkFile(name: string, file: string): string {
  try {
    return readFileSync(`${folderOf(name)}/${file}`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Names in a link's folder, or in one below it; none when the link has gone. @param folder `brif` */
export function linkEntries(name: string, folder = ''): string[] {
  try {
    return readdirSync(`${folderOf(name)}/${folder}`);
  } catch {
    return [];
  }
}

/** The bridge that a link is a port of; undefined: it is none, or is not there. */
export function linkMaster(name: string): string | undefined {
  try {
    return basename(readlinkSync(`${folderOf(name)}/master`));
  } catch {
    return undefined;
  }
}

/** True for a link that is set up, whether or not it has a carrier. */
export function isUp(name: string): boolean {
  return (Number(linkFile(name, 'flags')) & 1) === 1;
}
