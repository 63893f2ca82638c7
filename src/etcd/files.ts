import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { messageOf, WeaveError } from '../lib/errors.ts';
import { paths } from '../model/paths.ts';
import { type CertificateAndKey, type CertificateKind, hostOf, issue, renewalDue } from './authority.ts';

/** What a host of a managed cluster keeps, for root only. */
export const etcdFolder = join(paths.state, 'etcd');

/** Paths below {@link etcdFolder}. */
export function etcdFiles(folder: string) {
  const at = (name: string) => join(folder, name);
  return {
    /** etcd's own */
    data: at('data'),
    /** data of the last member that this host was */
    formerData: at('data.former'),
    pid: at('etcd.pid'),
    /** etcd's id of the member that the data belongs to */
    memberId: at('member.id'),
    log: at('etcd.log'),
    snapshots: at('snapshots'),
    cluster: at('cluster.json'),
    network: at('network.json'),
    ca: { cert: at('ca.crt'), key: at('ca.key') },
    member: { cert: at('member.crt'), key: at('member.key') },
    client: { cert: at('client.crt'), key: at('client.key') },
  };
}

/** Writes a file that only root can read: all of it or nothing, on disk when it resolves. */
export async function writePrivate(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/**
 * Reads a file of JSON that the host keeps.
 * @param advice what to do about one that makes no sense
 * @returns undefined: there is none @throws WeaveError STATE_CORRUPT
 */
export async function readJson<S extends v.GenericSchema>(
  path: string,
  schema: S,
  advice: string,
): Promise<v.InferOutput<S> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (cause) {
    throw new WeaveError('STATE_CORRUPT', `${path} makes no sense (${messageOf(cause)}); ${advice}`, {
      cause,
    });
  }
}

/** Writes what {@link readJson} reads, with {@link writePrivate}. */
export const writeJson = (path: string, value: object) =>
  writePrivate(path, `${JSON.stringify(value, null, 2)}\n`);

async function readPair(files: { cert: string; key: string }): Promise<CertificateAndKey | undefined> {
  if (!existsSync(files.cert) || !existsSync(files.key)) return undefined;
  return { cert: await readFile(files.cert, 'utf8'), key: await readFile(files.key, 'utf8') };
}

async function writePair(files: { cert: string; key: string }, pair: CertificateAndKey): Promise<void> {
  await writePrivate(files.key, pair.key);
  await writePrivate(files.cert, pair.cert);
}

/** The cluster's authority; undefined: this host is in no managed cluster. */
export const readAuthority = (folder: string) => readPair(etcdFiles(folder).ca);

export const writeAuthority = (folder: string, ca: CertificateAndKey) => writePair(etcdFiles(folder).ca, ca);

/** etcd's id of the member that this host is; undefined: none. */
export const readMemberId = (folder: string): Promise<string | undefined> =>
  readFile(etcdFiles(folder).memberId, 'utf8').catch(() => undefined);

/** What {@link ensureCertificates} makes certificates for. */
export interface CertificateOptions {
  ca: CertificateAndKey;
  /** the host's */
  name: string;
  /** by which members and clients reach it */
  addresses: readonly string[];
  now?: Date;
}

/**
 * Makes the host's certificates, or renews them where that is due. The key stays, so etcd and its clients, which read
 * both files at any time, never see two that do not fit.
 * @returns true when one is new
 */
export async function ensureCertificates(folder: string, options: CertificateOptions): Promise<boolean> {
  const files = etcdFiles(folder);
  const member = await ensure(files.member, 'member', options);
  const client = await ensure(files.client, 'client', options);
  return member || client;
}

async function ensure(
  files: { cert: string; key: string },
  kind: CertificateKind,
  { ca, name, addresses, now }: CertificateOptions,
): Promise<boolean> {
  const had = await readPair(files);
  if (had && !renewalDue(had.cert, now) && holds(had.cert, ca, addresses)) {
    if (kind !== 'client' || hostOf(had.cert) === name) return false;
  }
  await writePair(files, issue({ ca, kind, name, addresses, ...(had && { key: had.key }) }));
  return true;
}

/** True for a certificate of this authority that has all of the addresses. */
function holds(cert: string, ca: CertificateAndKey, addresses: readonly string[]): boolean {
  const certificate = new X509Certificate(cert);
  return (
    certificate.verify(new X509Certificate(ca.cert).publicKey) &&
    addresses.every((address) => certificate.checkIP(address) !== undefined)
  );
}
