import { constants } from 'node:fs';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import type { Cidr } from '../model/address.ts';

/** What a container's /etc/hosts says. */
export interface HostsSpec {
  /** of a process in the container */
  pid: number;
  /** `bbox1.weave.local` */
  hostname: string;
  cidrs: readonly Cidr[];
  /** --add-host: `name:ip` */
  extraHosts: readonly string[];
  /** the engine's file that is mounted there, on the engine's host */
  hostsPath: string;
}

/** The file's text: each weave address, then the --add-host entries, then localhost. */
export function hostsText({ hostname, cidrs, extraHosts }: Omit<HostsSpec, 'pid' | 'hostsPath'>): string {
  const short = hostname.split('.')[0];
  const names = short === hostname ? hostname : `${hostname} ${short}`;
  return [
    ...cidrs.map((cidr) => `${cidr.address}\t${names}`),
    ...extraHosts.map((entry) => {
      const colon = entry.indexOf(':');
      return `${entry.slice(colon + 1)}\t${entry.slice(0, colon)}`;
    }),
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff00::0\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    '',
  ].join('\n');
}

/**
 * Writes it for the running container, through its root in /proc; where that is read-only, into the engine's file
 * behind it. In place, as it is a mount.
 */
export async function writeHostsFile(spec: HostsSpec): Promise<void> {
  const text = hostsText(spec);
  try {
    await writeInside(spec.pid, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS' || spec.hostsPath === '') throw error;
    // By way of the first process: a daemon in a container has another root than the engine.
    await writeFile(`/proc/1/root${spec.hostsPath}`, text);
  }
}

/** Each step refuses symbolic links: the image owns that tree, and a link of its would lead to a file of the host. */
async function writeInside(pid: number, text: string): Promise<void> {
  const directory = await openNoFollow(`/proc/${pid}/root/etc`, constants.O_DIRECTORY);
  try {
    const file = await openNoFollow(
      `/proc/self/fd/${directory.fd}/hosts`,
      constants.O_WRONLY | constants.O_TRUNC,
    );
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } finally {
    await directory.close();
  }
}

function openNoFollow(path: string, flags: number): Promise<FileHandle> {
  return open(path, flags | constants.O_NOFOLLOW);
}
