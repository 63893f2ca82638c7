import type { HostsWish } from '../../../src/containers/hosts-text.ts';

/** Of a container c1 with one address. */
export const wish: HostsWish = {
  hostname: 'c1.weave.local',
  called: 'c1.weave.local',
  domain: 'weave.local.',
  addresses: ['10.32.0.1'],
  extraHosts: [],
  addHosts: [],
};
