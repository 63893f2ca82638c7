import { type Host, until } from './host.ts';

/** Ends the daemon as a power cut does. */
export async function crash(host: Host): Promise<void> {
  // The oldest: a process that it is just starting is still called what it is.
  const pid = (await host.runOk(['pgrep', '-o', '-f', 'daemon/main.js'])).trim();
  await host.runOk(['kill', '-9', pid]);
  await until('the daemon is gone', async () => (await host.run(['kill', '-0', pid])).code !== 0);
}
