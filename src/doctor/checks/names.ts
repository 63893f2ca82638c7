import { askFrom } from '../../net/inside-probe.ts';
import { hookAdvice } from '../../net/nft-chains.ts';
import type { NetnsProcess } from '../../net/veth.ts';
import { type Check, failed, ok, skipped } from '../check.ts';

/** A container that can be asked from. */
export interface Asker {
  /** of the container */
  name: string;
  process: NetnsProcess;
  /** `ip:port` that it was told of */
  server: string;
  hostname: string;
}

/** Some may have a firewall of their own: one that is answered is enough. */
const tries = 3;

export const names: Check<{ askers(): readonly Asker[] }> = {
  name: 'names',
  about: "The name server answers a query for a container's own name, sent from its network namespace.",
  code: 'NAMES_BLOCKED',
  when: 'probe',
  async run({ askers }) {
    const some = askers().slice(0, tries);
    const [first] = some;
    if (first === undefined) return skipped('no container with a name is attached, or DNS is off');
    const asked = await Promise.all(some.map(ask));
    if (asked.includes('answered')) return ok(`names are answered at ${first.server}`);
    const silent = some[asked.indexOf('silent')];
    if (silent === undefined) return skipped('the containers that were asked from have just ended');
    const what = 'questions about names';
    const advice = await hookAdvice('input', { what, match: 'udp dport 53' });
    return failed(
      `container ${silent.name} gets no answer from the name server at ${silent.server}: ${advice}`,
    );
  },
};

/** A container that ends meanwhile gets no answer either, and that says nothing. */
async function ask({ process, server, hostname }: Asker): Promise<'answered' | 'silent' | 'ended'> {
  try {
    if ((await askFrom(process, { server, name: hostname })) !== undefined) return 'answered';
  } catch (error) {
    if (process.alive) throw error;
  }
  return process.alive ? 'silent' : 'ended';
}
