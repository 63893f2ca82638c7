import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { messageOf, WeaveError } from '../../lib/errors.ts';
import type { TlsFiles } from '../../model/tls.ts';

/** What node:tls needs of the files. */
export interface TlsContext {
  ca: Buffer | undefined;
  cert: Buffer | undefined;
  key: Buffer | undefined;
  minVersion: 'TLSv1.2';
}

/** Reads the files of --tlscacert, --tlscert and --tlskey. @throws WeaveError TLS_CONFIG */
export async function readTls(files: TlsFiles): Promise<TlsContext> {
  const [ca, cert, key] = await Promise.all([
    read('--tlscacert', files.ca),
    read('--tlscert', files.cert),
    read('--tlskey', files.key),
  ]);
  const context: TlsContext = { ca, cert, key, minVersion: 'TLSv1.2' };
  try {
    createSecureContext(context);
  } catch (cause) {
    const paths = [files.ca, files.cert, files.key].filter(Boolean).join(', ');
    throw new WeaveError('TLS_CONFIG', `${paths} can't be used together: ${messageOf(cause)}`, { cause });
  }
  return context;
}

async function read(flag: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new WeaveError('TLS_CONFIG', `cannot read the file of ${flag}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
