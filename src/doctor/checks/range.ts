import type { LaunchConfig } from '../../config/config.ts';
import { Cidr } from '../../model/address.ts';
import { type HostNetwork, overlappingRoute } from '../../net/host.ts';
import { type Check, failed, ok, skipped } from '../check.ts';

/** What {@link range} looks at. */
export interface RangeDeps {
  config: Pick<LaunchConfig, 'ipallocRange' | 'ipallocRangeGiven'>;
  network: HostNetwork;
}

export const range: Check<RangeDeps> = {
  name: 'range',
  about: "No route of the host, such as a Docker network's, overlaps the address range, at launch or later.",
  code: 'RANGE_OVERLAPS',
  when: 'look',
  async run({ config, network }) {
    if (config.ipallocRange === null) return skipped('no addresses are given out');
    const route = overlappingRoute(Cidr.parse(config.ipallocRange), network);
    if (route === undefined) return ok(`no route of the host overlaps ${config.ipallocRange}`);
    return failed(
      `the host's route ${route} overlaps the address range ${config.ipallocRange}, so containers can't reach addresses of that route, nor the host theirs: remove the route (a Docker network: docker network rm), or launch all hosts again with another --ipalloc-range, such as 10.128.0.0/12`,
    );
  },
};
