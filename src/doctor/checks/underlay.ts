import type { LaunchConfig } from '../../config/config.ts';
import { hasCode } from '../../lib/errors.ts';
import { type HostNetwork, type Underlay, underlayOf } from '../../net/host.ts';
import { type Check, failed, healed, ok, skipped } from '../check.ts';

/** What {@link underlay} looks at. */
export interface UnderlayDeps {
  config: Pick<LaunchConfig, 'host' | 'mtu'>;
  network: HostNetwork;
  underlay: {
    /** as the network is made for */
    current: Underlay;
    /** there are other hosts, or may be */
    clustered: boolean;
    /** Brings what goes to the other hosts, and what they know of this one, to another address. */
    move(to: Underlay): Promise<void>;
  };
}

export const underlay: Check<UnderlayDeps> = {
  name: 'underlay',
  about: "The host's address towards the others, and its MTU, are those the network was set up for.",
  heals:
    'A new address is followed, unless `--host` set it: the link is changed, and the other hosts are told.',
  code: 'UNDERLAY_CHANGED',
  when: 'look',
  async run({ config, network, underlay: { current, clustered, move } }) {
    const now = underlayNow(config, network);
    if (!clustered) {
      // It may join others later, and then by its address of that time.
      if (now?.address !== undefined && now.address !== current.address) await move(now);
      return skipped('this host is alone');
    }
    if (now?.address === undefined) {
      return failed(
        `this host's address towards the other hosts was ${current.address} and is now gone; give it one, and weavets follows`,
      );
    }
    if (now.address !== current.address) {
      const text = `this host's address towards the other hosts was ${current.address} and is now ${now.address}; the others have been told`;
      await move(now);
      return healed(text);
    }
    if (config.mtu !== null || now.mtu === current.mtu)
      return ok(`the others reach this host at ${now.address}`);
    return failed(
      `the MTU of ${now.link} was ${current.mtu} and is now ${now.mtu}, but the containers' network was made for the old one; run 'weavets stop' and 'weavets launch' to use the new one; containers keep running, and get the new MTU at their next start`,
    );
  },
};

/** @returns undefined: the address that was asked for is on no link */
function underlayNow(config: UnderlayDeps['config'], network: HostNetwork): Underlay | undefined {
  try {
    return underlayOf(network, config.host ?? undefined);
  } catch (error) {
    if (hasCode(error, 'USAGE')) return undefined;
    throw error;
  }
}
