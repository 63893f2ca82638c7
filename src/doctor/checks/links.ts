import type { HostNetwork } from '../../net/host.ts';
import { type Check, failed, healed, ok, skipped } from '../check.ts';
import type { Streak } from '../streak.ts';

/** What {@link links} and {@link overlay} look after. */
export interface LinksDeps {
  network: HostNetwork;
  links: {
    /** Puts right what others have changed. @returns what that was, in words */
    repair(network: HostNetwork): Promise<string[]>;
    streak: Streak;
  };
  /** undefined: this host is alone */
  overlay: { repair(): Promise<boolean>; streak: Streak } | undefined;
}

const leaveAlone = `have it leave weave, vethwe* and vxlan-6784 alone (NetworkManager: 'nmcli device set weave managed no'; systemd-networkd: a .network file with 'Unmanaged=yes' in its [Link])`;

export const links: Check<LinksDeps> = {
  name: 'links',
  about:
    "The bridge exists and is up, with its MAC, MTU and addresses; every attached container's link is one of its ports, and up (200 at a time are asked whether they are). Network managers sometimes change them.",
  heals: 'Everything is restored.',
  code: 'LINKS_CHANGED',
  when: 'look',
  async run({ network, links: { repair, streak } }) {
    const wrong = await repair(network);
    const text = wrong.slice(0, 5).join('; ');
    if (streak.next(wrong.length > 0)) {
      return failed(
        `another program, a network manager perhaps, changes weavets' links again and again, and they are put right every few seconds (${text}); ${leaveAlone}`,
      );
    }
    return wrong.length > 0 ? healed(`put right on this host: ${text}`) : ok('bridge and links are as made');
  },
};

export const overlay: Check<LinksDeps> = {
  name: 'overlay',
  about:
    'The link to the other hosts exists, is up and a port of the bridge; its forwarding entries are set.',
  heals: 'Everything is restored.',
  code: 'OVERLAY_CHANGED',
  when: 'look',
  async run({ overlay: link }) {
    if (link === undefined) return skipped('this host is alone');
    const changed = await link.repair();
    if (link.streak.next(changed)) {
      return failed(
        `another program, a network manager perhaps, changes the link to the other hosts again and again; ${leaveAlone}`,
      );
    }
    return changed
      ? healed('the link to the other hosts had been changed by another program, and is back')
      : ok('the link to the other hosts is as made');
  },
};
