import { type Host, until } from './host.ts';

/** Waits until no address is in use: those of removed containers are released when the engine's events have come. */
export async function allReleased(host: Host): Promise<void> {
  await until('all addresses are free', async () =>
    (await host.weavets('status', 'ipam')).stdout.includes('(0 active)'),
  );
}
