import type { KeyedLock } from '../lib/lock.ts';
import { linkExists } from '../net/sysfs.ts';
import { hostLink, type Veths, vethPids } from '../net/veth.ts';
import type { Attachment, Attachments } from './attachments.ts';

/** What {@link restoreLinks} works with. */
export interface LostLinksDeps {
  attachments: Pick<Attachments, 'list' | 'get' | 'attach'>;
  veths: Pick<Veths, 'removeRules'>;
  /** by container */
  lock: KeyedLock;
}

/** Attaches those containers anew whose link somebody has taken away. @returns their names */
export async function restoreLinks({ attachments, veths, lock }: LostLinksDeps): Promise<string[]> {
  const restored: string[] = [];
  const there = new Set(vethPids());
  // One that is just being made is not lost, and its start may take as long as it likes.
  const lost = attachments.list().filter(({ info }) => !there.has(info.pid) && !lock.isBusy(info.id));
  for (const { info } of lost) {
    await lock.run(info.id, async () => {
      // It may just have been attached, or have ended.
      const attachment = attachments.get(info.id);
      if (attachment === undefined || !isLost(attachment)) return;
      // What it had of rules is still there, and would be there twice.
      await veths.removeRules(attachment.process).catch(() => {});
      await attachments.attach(attachment.info, attachment);
      restored.push(info.name);
    });
  }
  return restored;
}

function isLost({ info, process }: Attachment): boolean {
  return !linkExists(hostLink(info.pid)) && process.alive;
}
