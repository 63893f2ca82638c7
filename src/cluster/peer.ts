import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Store } from '../store/store.ts';

const key = 'peer/name';

/**
 * This host's name among its peers, a MAC: the one that was given, or the one kept in the store, or one made from the
 * machine's id; a machine without an id gets a random one. It is kept by {@link keepPeerName}.
 */
export async function peerName(store: Store, given: string | null): Promise<string> {
  return given ?? (await store.get(key))?.value ?? toMac(await machineId());
}

/** Keeps the name for the next time; called once the cluster has taken it. */
export async function keepPeerName(store: Store, name: string): Promise<void> {
  if ((await store.get(key))?.value !== name) await store.commit([{ key, value: name }]);
}

async function machineId(): Promise<Buffer> {
  const id = (await readFile('/etc/machine-id', 'utf8').catch(() => '')).trim();
  return id === '' ? randomBytes(16) : createHash('sha256').update(`weavets ${id}`).digest();
}

function toMac(bytes: Buffer): string {
  const mac = Buffer.from(bytes.subarray(0, 6));
  // Locally administered, unicast.
  mac[0] = ((mac[0] ?? 0) & 0xfc) | 0x02;
  return (mac.toString('hex').match(/../g) ?? []).join(':');
}
