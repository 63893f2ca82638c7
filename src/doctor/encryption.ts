import { existsSync } from 'node:fs';
import type { LaunchConfig } from '../config/config.ts';
import { WeaveError } from '../lib/errors.ts';
import { run } from '../lib/exec.ts';
import { howToInstall } from '../lib/tools.ts';
import { wireguardLink } from '../net/overlay/wireguard.ts';
import { inPath } from './preflight.ts';

/** A link made only to see whether the kernel can. */
const trial = 'weave-wg-try';

/**
 * Makes sure, where hosts are to encrypt, that this one can: by the kernel's WireGuard, or by wireguard-go and the
 * kernel's tunnels.
 * @throws WeaveError TOOL_MISSING
 */
export async function checkEncryption(config: Pick<LaunchConfig, 'password' | 'store'>): Promise<void> {
  if (config.password === null || config.store === 'lmdb') return;
  if (!(await inPath('wg'))) {
    throw new WeaveError('TOOL_MISSING', `--password needs 'wg'; ${howToInstall('wg')}`);
  }
  if (existsSync(`/sys/class/net/${wireguardLink}`) || (await kernelHasWireguard())) return;
  const kernel = '--password: the kernel of this host has no WireGuard (modprobe wireguard loads it)';
  if (!(await inPath('wireguard-go'))) {
    throw new WeaveError(
      'TOOL_MISSING',
      `${kernel}, and wireguard-go, which works without it, is not installed${inContainer() ? ' in this image' : ''}; ${howToInstall('wireguard-go')}`,
    );
  }
  if (existsSync('/dev/net/tun')) return;
  throw new WeaveError(
    'TOOL_MISSING',
    `${kernel}, and wireguard-go needs /dev/net/tun, which is missing${inContainer() ? '; give it to the container: devices: [/dev/net/tun]' : ' (modprobe tun)'}`,
  );
}

async function kernelHasWireguard(): Promise<boolean> {
  const { code } = await run(['ip', 'link', 'add', trial, 'type', 'wireguard']);
  if (code === 0) await run(['ip', 'link', 'del', trial]);
  return code === 0;
}

function inContainer(): boolean {
  return existsSync('/.dockerenv');
}
