import { run, runOk } from '../../lib/exec.ts';
import { vxlanLink } from './vxlan.ts';

/**
 * Whether checksums of what containers send to other hosts are left to the card. It ends with the link.
 * @returns undefined: there is no such link, or no ethtool
 */
export async function leavesChecksums(): Promise<boolean | undefined> {
  const shown = await run(['ethtool', '-k', vxlanLink]).catch(() => undefined);
  const [, state] = /^tx-checksumming: (on|off)/m.exec(shown?.stdout ?? '') ?? [];
  return state === undefined ? undefined : state === 'on';
}

export async function leaveChecksums(leave: boolean): Promise<void> {
  await runOk(['ethtool', '-K', vxlanLink, 'tx', leave ? 'on' : 'off']);
}
