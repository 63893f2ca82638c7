import { forwardAdvice, probeForwarding } from '../../net/forward-probe.ts';
import { type Check, failed, ok, skipped } from '../check.ts';

export const forwarding: Check<unknown> = {
  name: 'forwarding',
  about:
    "A frame is sent over the bridge as from one container to another: the host's firewall, of which br_netfilter asks for each frame, lets it through.",
  code: 'FORWARD_BLOCKED',
  when: 'probe',
  async run() {
    const passage = await probeForwarding();
    if (passage === 'passed') return ok("frames between containers pass the host's firewall");
    if (passage === 'dropped') return failed(await forwardAdvice());
    return skipped('this host did not even send the frame; it is tried again');
  },
};
