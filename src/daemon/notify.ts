import { messageOf } from '../lib/errors.ts';
import { runOk } from '../lib/exec.ts';
import type { Logger } from '../lib/log.ts';

/** Tells systemd, if that started us and waits for it, that the daemon is ready. */
export async function notifyReady(logger: Logger): Promise<void> {
  if (!process.env.NOTIFY_SOCKET) return;
  try {
    // Its socket takes datagrams, which Node has for the internet only.
    await runOk(['systemd-notify', '--ready'], { env: process.env });
  } catch (error) {
    logger.error({ reason: messageOf(error) }, 'cannot tell systemd that the daemon is ready');
  }
}
