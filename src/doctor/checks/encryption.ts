import { existsSync } from 'node:fs';
import type { LaunchConfig } from '../../config/config.ts';
import { run } from '../../lib/exec.ts';
import { howToInstall } from '../../lib/tools.ts';
import { wireguardLink } from '../../net/overlay/wireguard.ts';
import { linkExists } from '../../net/sysfs.ts';
import { type Check, failed, ok, skipped } from '../check.ts';
import { inPath } from './tools.ts';

/** A link made only to see whether the kernel can. */
const trial = 'weave-wg-try';

export const encryption: Check<{ config: Pick<LaunchConfig, 'password' | 'store'> }> = {
  name: 'encryption',
  about:
    "If traffic is to be encrypted, this host can do it: with the kernel's WireGuard, or wireguard-go and its tunnels.",
  code: 'TOOL_MISSING',
  when: 'launch',
  async run({ config }) {
    if (config.password === null || config.store === 'lmdb') return skipped('nothing is to be encrypted');
    if (!(await inPath('wg'))) return failed(`--password needs 'wg'; ${howToInstall('wg')}`);
    if (linkExists(wireguardLink) || (await kernelHasWireguard())) return ok('this host can encrypt');
    const kernel = '--password: the kernel of this host has no WireGuard (modprobe wireguard loads it)';
    if (!(await inPath('wireguard-go'))) {
      return failed(
        `${kernel}, and wireguard-go, which works without it, is not installed${inContainer() ? ' in this image' : ''}; ${howToInstall('wireguard-go')}`,
      );
    }
    if (existsSync('/dev/net/tun')) return ok('this host can encrypt, by wireguard-go');
    return failed(
      `${kernel}, and wireguard-go needs /dev/net/tun, which is missing${inContainer() ? '; give it to the container: devices: [/dev/net/tun]' : ' (modprobe tun)'}`,
    );
  },
};

async function kernelHasWireguard(): Promise<boolean> {
  const { code } = await run(['ip', 'link', 'add', trial, 'type', 'wireguard']);
  if (code === 0) await run(['ip', 'link', 'del', trial]);
  return code === 0;
}

function inContainer(): boolean {
  return existsSync('/.dockerenv');
}
