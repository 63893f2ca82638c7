import { type Check, failed, healed, ok } from '../check.ts';
import type { Streak } from '../streak.ts';

export const rules: Check<{ rules: { keep(): Promise<boolean>; streak: Streak } }> = {
  name: 'rules',
  about: "weavets' firewall rules are in place, before all others.",
  heals: 'They are restored.',
  code: 'FIREWALL_CONTESTED',
  when: 'look',
  async run({ rules: { keep, streak } }) {
    const changed = await keep();
    if (streak.next(changed)) {
      return failed(
        "another program keeps removing weavets' firewall rules, which come back every few seconds; make it leave the chains WEAVE* and the jumps to them alone",
      );
    }
    return changed
      ? healed('firewall rules of weavets had gone, or were behind others; they are back')
      : ok("weavets' firewall rules are there");
  },
};
