import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Store } from '../store/store.ts';

/** Of this host's name, in its own store. */
export const nameKey = 'peer/name';
const idKey = 'peer/id';

/**
 * This host's name among its peers, a MAC: the one that was given, or the one kept in the store, or one made from the
 * machine's id; a machine without an id gets a random one. It is kept by {@link keepPeerName}.
 */
export async function peerName(store: Store, given: string | null): Promise<string> {
  return given ?? (await store.get(nameKey))?.value ?? toMac(await machineId());
}

/** Keeps the name for the next time; called once the cluster has taken it. */
export async function keepPeerName(store: Store, name: string): Promise<void> {
  if ((await store.get(nameKey))?.value !== name) await store.commit([{ key: nameKey, value: name }]);
}

/**
 * What tells this host from others of its name: random, and kept; a machine that was cloned with all that it keeps has
 * another id nevertheless, if its machine id or its hardware has.
 */
export async function hostId(store: Store): Promise<string> {
  const kept = (await store.get(idKey))?.value ?? randomUUID();
  await store.commit([{ key: idKey, value: kept }]);
  const hardware = await readFile('/sys/class/dmi/id/product_uuid', 'utf8').catch(() => '');
  const machine = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  return createHash('sha256').update([kept, machine, hardware].join('\n')).digest('hex').slice(0, 32);
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
