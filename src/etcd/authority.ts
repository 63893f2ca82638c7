import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { isIPv4 } from 'node:net';
import { bits, implicit, integer, octets, oid, pem, sequence, set, tagged, time, utf8, yes } from './der.ts';

/** A certificate and its key, as PEM texts. */
export interface CertificateAndKey {
  cert: string;
  key: string;
}

/**
 * What a certificate is for; etcd goes by its common name. `member`: the peer port takes no other. `client`: the host's
 * own user, who may have weavets' keys only, until the host is removed. `admin`: etcd's root.
 */
export type CertificateKind = 'member' | 'client' | 'admin';

export const commonNames = { member: 'weavets-member', admin: 'root' } as const;

/** etcd's user for a host. No host can be called so that it is another's, or a member's. */
export const userOf = (host: string) => `weavets:${host}`;

/** The host whose client certificate this is; undefined: it is none. */
export const hostOf = (cert: string) => /^CN=weavets:(.+)$/m.exec(new X509Certificate(cert).subject)?.[1];

/** What {@link issue} signs. */
export interface IssueOptions {
  ca: CertificateAndKey;
  kind: CertificateKind;
  /** the host's, for people who look at the certificate */
  name: string;
  /** by which the host is reached */
  addresses?: readonly string[];
  /** keeps this key; absent: a new one */
  key?: string;
  /** default: 90 */
  days?: number;
}

const day = 86_400_000;
/** days of an authority: longer than anyone keeps a cluster */
const authorityDays = 7_300;
/** days of a host's certificates; they are renewed long before */
const hostDays = 90;
/** ms by which an authority is backdated, for hosts whose clocks are behind */
const backdated = 3_600_000;

const ids = {
  commonName: '2.5.4.3',
  organizationalUnit: '2.5.4.11',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKey: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKey: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
} as const;

/** The authority of a new cluster. Anyone with its key can join the cluster, and controls it. */
export function createAuthority(clusterId: string): CertificateAndKey {
  const key = newKey();
  const name = authorityName(clusterId);
  const extensions = [
    extension(ids.basicConstraints, sequence(yes, integer(Buffer.of(0))), true),
    // Bits 5 and 6: signs certificates and revocation lists.
    extension(ids.keyUsage, bits(Buffer.of(0x06), 1), true),
  ];
  const from = Date.now() - backdated;
  const fields = { issuer: name, subject: name, from, days: authorityDays, extensions };
  return { cert: signed(key, key, fields), key: text(key) };
}

/** A certificate of the cluster's authority. Members of etcd are both sides of a connection; the others only call. */
export function issue({
  ca,
  kind,
  name,
  addresses = [],
  key,
  days = hostDays,
}: IssueOptions): CertificateAndKey {
  const own = key === undefined ? newKey() : createPrivateKey(key);
  const names = addresses.map((address) =>
    isIPv4(address)
      ? implicit(7, Buffer.from(address.split('.').map(Number)))
      : implicit(2, Buffer.from(address)),
  );
  const extensions = [
    extension(ids.basicConstraints, sequence(), true),
    // Bit 0: digital signature, to prove possession of the key.
    extension(ids.keyUsage, bits(Buffer.of(0x80), 7), true),
    extension(
      ids.extendedKeyUsage,
      sequence(oid(ids.client), ...(kind === 'member' ? [oid(ids.server)] : [])),
    ),
    ...(names.length > 0 ? [extension(ids.alternativeNames, sequence(...names))] : []),
  ];
  const subject = distinguished([
    [ids.organizationalUnit, name],
    [ids.commonName, kind === 'client' ? userOf(name) : commonNames[kind]],
  ]);
  const issuer = authorityName(clusterIdOf(ca.cert));
  const authorityKey = createPrivateKey(ca.key);
  // As old as the authority: one made while this host's clock is ahead is valid for the others, and once that is right.
  const from = Date.parse(new X509Certificate(ca.cert).validFrom);
  return { cert: signed(own, authorityKey, { issuer, subject, from, days, extensions }), key: text(own) };
}

/** The cluster's id, from its authority's name. @throws when the certificate is no authority of ours */
export function clusterIdOf(caCert: string): string {
  const id = /^CN=weavets cluster (\S+)$/.exec(new X509Certificate(caCert).subject)?.[1];
  if (id === undefined) throw new Error('this is no certificate of a weavets cluster');
  return id;
}

/** Lower-case hexadecimal SHA-256 of a certificate: what a token names, and people compare. */
export function fingerprint(cert: string): string {
  return createHash('sha256').update(new X509Certificate(cert).raw).digest('hex');
}

/** True when less than a third of a certificate's days is left, or it can't be read. */
export function renewalDue(cert: string, now: Date = new Date()): boolean {
  try {
    const left = Date.parse(new X509Certificate(cert).validTo) - now.getTime();
    return !(left > (hostDays * day) / 3);
  } catch {
    return true;
  }
}

interface Fields {
  issuer: Buffer;
  subject: Buffer;
  /** ms since the epoch */
  from: number;
  /** from now */
  days: number;
  extensions: readonly Buffer[];
}

function signed(own: KeyObject, authority: KeyObject, fields: Fields): string {
  const { issuer, subject, from, days, extensions } = fields;
  const algorithm = sequence(oid(ids.ecdsaWithSha256));
  const body = sequence(
    tagged(0, integer(Buffer.of(2))),
    integer(randomBytes(16)),
    algorithm,
    issuer,
    sequence(time(new Date(from)), time(new Date(Date.now() + days * day))),
    subject,
    publicKeyOf(own),
    tagged(
      3,
      sequence(
        ...extensions,
        extension(ids.subjectKey, octets(keyId(own))),
        extension(ids.authorityKey, sequence(implicit(0, keyId(authority)))),
      ),
    ),
  );
  return pem('CERTIFICATE', sequence(body, algorithm, bits(sign('sha256', body, authority))));
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [yes] : []), octets(value));
}

function distinguished(parts: readonly (readonly [id: string, value: string])[]): Buffer {
  return sequence(...parts.map(([id, value]) => set(sequence(oid(id), utf8(value)))));
}

/** It comes out the same byte for byte each time, as subject and issuer must. */
const authorityName = (clusterId: string) =>
  distinguished([[ids.commonName, `weavets cluster ${clusterId}`]]);

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const text = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const publicKeyOf = (key: KeyObject) => createPublicKey(key).export({ type: 'spki', format: 'der' });
const keyId = (key: KeyObject) => createHash('sha1').update(publicKeyOf(key)).digest();
