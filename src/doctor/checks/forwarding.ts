import { forwardAdvice, probeForwarding } from '../../net/forward-probe.ts';
import { type Check, failed, ok, skipped } from '../check.ts';

export const forwarding: Check<unknown> = {
  name: 'forwarding',
  about:
    "The host's firewall, which br_netfilter consults for each frame, lets a test frame through, sent over the bridge as if between containers.",
  code: 'FORWARD_BLOCKED',
  when: 'probe',
  async run() {
    const passage = await probeForwarding();
    if (passage === 'passed') return ok("frames between containers pass the host's firewall");
    if (passage === 'dropped') return failed(await forwardAdvice());
    return skipped('this host did not even send the frame; it is tried again');
  },
};
