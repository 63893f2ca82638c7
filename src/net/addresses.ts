import { closeSync } from 'node:fs';
import { run } from '../lib/exec.ts';
import { Cidr } from '../model/address.ts';
import { queryJson } from './ip.ts';
import { linkExists } from './sysfs.ts';
import { containerLink, type NetnsProcess } from './veth.ts';

interface ShownLink {
  flags?: string[];
  addr_info?: { local?: string; prefixlen?: number }[];
}

/** Addresses that a container's ethwe has; none when it has no ethwe. @param how `up`: nor when that is down */
export async function ethweAddresses(container: NetnsProcess, how = { up: false }): Promise<Cidr[]> {
  const netns = container.openNetns();
  try {
    const inside = ['nsenter', `--net=/proc/${process.pid}/fd/${netns}`, '--'] as const;
    const show = ['ip', '-json', '-4', 'addr', 'show', 'dev', containerLink];
    const { code, stdout } = await run([...inside, ...show]);
    const links = code === 0 ? (JSON.parse(stdout || '[]') as ShownLink[]) : [];
    return cidrsOf(how.up ? links.filter(({ flags }) => flags?.includes('UP')) : links);
  } finally {
    closeSync(netns);
  }
}

/** Addresses that a link of the host has. */
export async function linkAddresses(link: string): Promise<Cidr[]> {
  if (!linkExists(link)) return [];
  return cidrsOf(await queryJson<ShownLink>(['ip', '-4', 'addr', 'show', 'dev', link]));
}

function cidrsOf(links: readonly ShownLink[]): Cidr[] {
  return links.flatMap(({ addr_info = [] }) =>
    addr_info.map(({ local, prefixlen }) => Cidr.parse(`${local}/${prefixlen}`)),
  );
}
