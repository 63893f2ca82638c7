import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WeaveError } from '../../lib/errors.ts';
import { run, runOk } from '../../lib/exec.ts';
import { howToInstall } from '../../lib/tools.ts';
import { linkExists } from '../sysfs.ts';

/** ms */
const startTimeout = 10_000;

const socketOf = (link: string) => `/var/run/wireguard/${link}.sock`;

/** True if an earlier run's process serves the link. */
export async function isServed(link: string): Promise<boolean> {
  return linkExists(link) && (await run(['wg', 'show', link, 'public-key'])).code === 0;
}

/**
 * Starts WireGuard in userspace, for a kernel that has none. It outlives the daemon, as the links of the kernel do, and
 * ends with its link. @throws WeaveError TOOL_MISSING, TOOL_FAILED
 */
export async function startUserspace(link: string): Promise<void> {
  const child = spawn('wireguard-go', ['-f', link], {
    stdio: 'ignore',
    detached: true,
    env: { PATH: process.env.PATH, LOG_LEVEL: 'error' },
  });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new WeaveError(
      'TOOL_MISSING',
      `the kernel has no WireGuard, and wireguard-go is not installed; ${howToInstall('wireguard-go')}`,
      { cause },
    );
  }
  child.unref();
  await untilServed(child, link);
}

async function untilServed(child: ChildProcess, link: string): Promise<void> {
  const end = performance.now() + startTimeout;
  while (!existsSync(socketOf(link))) {
    if (child.exitCode !== null || performance.now() > end) {
      child.kill();
      throw new WeaveError('TOOL_FAILED', 'wireguard-go does not start; does /dev/net/tun exist?');
    }
    await delay(10);
  }
}

/** Waits for the process, whoever started it, to end (its connection closes), or for the signal. */
export async function userspaceEnded(link: string, signal: AbortSignal): Promise<void> {
  const socket = createConnection(socketOf(link)).unref();
  const stop = () => socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  // Nobody listens: it has ended already.
  socket.on('error', () => {});
  socket.resume();
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  signal.removeEventListener('abort', stop);
}

/** It ends when its link goes, and removes its socket; only then can a new one start. */
export async function removeUserspace(link: string): Promise<void> {
  const served = await isServed(link);
  if (linkExists(link)) await runOk(['ip', 'link', 'del', link]);
  const end = performance.now() + startTimeout;
  while (served && existsSync(socketOf(link))) {
    if (performance.now() > end)
      throw new WeaveError('TOOL_FAILED', 'the previous wireguard-go does not end; kill it by hand');
    await delay(10);
  }
  await rm(socketOf(link), { force: true });
}
