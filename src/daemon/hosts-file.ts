import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Cidr } from '../lib/cidr.ts';

/** What a container's /etc/hosts says. */
export interface HostsSpec {
  /** of a process in the container */
  pid: number;
  /** `bbox1.weave.local` */
  hostname: string;
  cidrs: readonly Cidr[];
  /** --add-host: `name:ip` */
  extraHosts: readonly string[];
}

/** The file's text: each weave address, then the --add-host entries, then localhost. */
export function hostsText({ hostname, cidrs, extraHosts }: Omit<HostsSpec, 'pid'>): string {
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
 * Writes it into the running container, through its root in /proc. In place, as the file is a mount of the engine's.
 * Each step refuses symbolic links: the image owns that tree, and a link of its would lead to a file of the host.
 */
export async function writeHostsFile(spec: HostsSpec): Promise<void> {
  const directory = await openNoFollow(`/proc/${spec.pid}/root/etc`, constants.O_DIRECTORY);
  try {
    const file = await openNoFollow(
      `/proc/self/fd/${directory.fd}/hosts`,
      constants.O_WRONLY | constants.O_TRUNC,
    );
    try {
      await file.writeFile(hostsText(spec));
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
