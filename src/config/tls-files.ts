import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf, WeaveError } from '../lib/errors.ts';
import type { TlsFiles } from '../model/tls.ts';

/** Which files dockerd and docker take when none are named: those of ~/.docker. */
export function defaultTlsFolder(env: NodeJS.ProcessEnv): string {
  return join(env.HOME ?? '/root', '.docker');
}

/** dockerd's TLS flags; null: not given. */
export interface TlsFlags {
  tls: boolean;
  tlsverify: boolean;
  tlscacert: string | null;
  tlscert: string | null;
  tlskey: string | null;
}

/** TLS of the proxy's endpoints. @throws WeaveError TLS_CONFIG */
export function proxyTls(flags: TlsFlags, env: NodeJS.ProcessEnv): TlsFiles | null {
  if (!flags.tls && !flags.tlsverify) {
    if (flags.tlscacert ?? flags.tlscert ?? flags.tlskey) {
      throw new WeaveError(
        'TLS_CONFIG',
        'certificates without --tls or --tlsverify have no effect; add one of them',
      );
    }
    return null;
  }
  const folder = defaultTlsFolder(env);
  const verify = flags.tlsverify;
  return checked({
    verify,
    ca: verify ? named('--tlscacert', flags.tlscacert ?? join(folder, 'ca.pem')) : undefined,
    cert: named('--tlscert', flags.tlscert ?? join(folder, 'cert.pem')),
    key: named('--tlskey', flags.tlskey ?? join(folder, 'key.pem')),
  });
}

/** TLS towards an engine on TCP, as the docker client has it. @throws WeaveError TLS_CONFIG */
export function engineTls(engine: string, env: NodeJS.ProcessEnv): TlsFiles | null {
  if (!usesTls(env) || !engine.startsWith('tcp://')) return null;
  const folder = env.DOCKER_CERT_PATH || defaultTlsFolder(env);
  const file = (name: string) => named('DOCKER_CERT_PATH', join(folder, name));
  if (env.DOCKER_TLS_VERIFY) {
    return checked({ verify: true, ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') });
  }
  // Without verification the engine may not ask for a client certificate, so ours is optional.
  const present = (name: string) => (existsSync(join(folder, name)) ? file(name) : undefined);
  return checked({ verify: false, cert: present('cert.pem'), key: present('key.pem') });
}

/** Whether a docker client would speak TLS to an engine on TCP: DOCKER_TLS_VERIFY, or DOCKER_TLS without verifying. */
export function usesTls(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.DOCKER_TLS_VERIFY || env.DOCKER_TLS);
}

/** TLS towards etcd, as etcdctl has it; undefined: none. @throws WeaveError TLS_CONFIG */
export function etcdTls(files: {
  cacert?: string;
  cert?: string;
  key?: string;
}): Pick<TlsFiles, 'ca' | 'cert' | 'key'> | undefined {
  const { cacert, cert, key } = files;
  if ((cert === undefined) !== (key === undefined)) {
    throw new WeaveError('TLS_CONFIG', '--etcd-cert and --etcd-key go together; name both, or none');
  }
  if (cacert === undefined && cert === undefined) return undefined;
  const file = (flag: string, path: string | undefined) =>
    path === undefined ? undefined : named(flag, path);
  const { verify, ...paths } = checked({
    verify: true,
    ca: file('--etcd-cacert', cacert),
    cert: file('--etcd-cert', cert),
    key: file('--etcd-key', key),
  });
  return paths;
}

/** A file, and the flag to name in messages. */
interface NamedFile {
  flag: string;
  path: string;
}

/** The daemon runs in another folder, so the path becomes absolute. */
function named(flag: string, path: string): NamedFile {
  return { flag, path: resolve(path) };
}

/** Reads the files and tries them now, rather than with the first client. */
function checked(files: { verify: boolean; ca?: NamedFile; cert?: NamedFile; key?: NamedFile }): TlsFiles {
  const { verify, ca, cert, key } = files;
  // A file that holds no authority would be ignored, and every client refused.
  if (ca) parsed(ca, 'certificate', (pem) => new X509Certificate(pem));
  const certificate = cert && parsed(cert, 'certificate', (pem) => new X509Certificate(pem));
  const privateKey = key && parsed(key, 'key without a passphrase', (pem) => createPrivateKey(pem));
  if (certificate && privateKey && !certificate.checkPrivateKey(privateKey)) {
    throw new WeaveError('TLS_CONFIG', `${key.path} is not the key of the certificate ${cert.path}`);
  }
  return { verify, ca: ca?.path, cert: cert?.path, key: key?.path };
}

function parsed<T>({ flag, path }: NamedFile, what: string, parse: (pem: Buffer) => T): T {
  let pem: Buffer;
  try {
    pem = readFileSync(path);
  } catch (error) {
    throw new WeaveError('TLS_CONFIG', `${flag}: cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    return parse(pem);
  } catch (error) {
    throw new WeaveError('TLS_CONFIG', `${flag}: ${path} is not a ${what} in PEM: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
