import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { runOk } from '../../lib/exec.ts';
import { type Check, healed, ok } from '../check.ts';

/** The engine mounts /proc/sys read-only in containers, this daemon's too, and the settings of a link are there. */
export const settings: Check<unknown> = {
  name: 'settings',
  about: "The kernel's settings below `/proc/sys` can be written.",
  heals: '`/proc/sys` is remounted writable, for this daemon only.',
  code: 'TOOL_FAILED',
  when: 'launch',
  async run() {
    const writable = await access('/proc/sys/net/ipv4/ip_forward', constants.W_OK).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'EROFS',
    );
    if (writable) return ok("the kernel's settings can be written");
    await runOk(['mount', '-o', 'remount,bind,rw', '/proc/sys']);
    return healed('/proc/sys was read-only, and is mounted anew');
  },
};
