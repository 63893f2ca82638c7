import { WeaveError } from '../lib/errors.ts';
import { withEtcdPort } from '../model/members.ts';
import type { EtcdLogin } from './config.ts';
import type { launchOptions } from './launch-options.ts';
import type { Args } from './option.ts';
import { readSecret } from './secrets.ts';
import type { Settings } from './settings.ts';
import { etcdTls } from './tls-files.ts';

/** `lmdb`, `etcd://HOST:PORT,…` or, with TLS, `etcds://…`. @throws WeaveError USAGE */
export function parseStore(given: string | null, etcd: EtcdLogin | null): string {
  const text = given ?? 'lmdb';
  if (text === 'lmdb') {
    if (etcd === null) return text;
    throw new WeaveError('USAGE', '--etcd-… without an etcd has no effect; add --store etcd://HOST:PORT');
  }
  const members = /^etcds?:\/\/([^,/\s]+(?:,[^,/\s]+)*)$/.exec(text)?.[1]?.split(',');
  if (!members?.every((member) => /^([^:@]+|\[[0-9a-f:]+\])(:\d+)?$/i.test(member))) {
    throw new WeaveError('USAGE', `--store: '${text}' is neither lmdb nor etcd://HOST:PORT,HOST:PORT…`);
  }
  const tls = text.startsWith('etcds:') || etcd?.ca !== undefined || etcd?.cert !== undefined;
  return `${tls ? 'etcds' : 'etcd'}://${members.map(withEtcdPort).join(',')}`;
}

type EtcdFlag = 'etcd-cacert' | 'etcd-cert' | 'etcd-key' | 'etcd-user' | 'etcd-user-file';

/** How etcd lets us in, as etcdctl has it. @throws WeaveError TLS_CONFIG, USAGE */
export function parseEtcdLogin(
  settings: Pick<Settings, EtcdFlag>,
  passwordVariable: string | undefined,
): EtcdLogin | null {
  const tls = etcdTls({
    cacert: settings['etcd-cacert'] || undefined,
    cert: settings['etcd-cert'] || undefined,
    key: settings['etcd-key'] || undefined,
  });
  const login = readSecret(settings['etcd-user'], { file: settings['etcd-user-file'], flag: 'etcd-user' });
  const [user = '', ...rest] = login?.split(':') ?? [];
  if (user === '') return tls ?? null;
  const password = rest.length > 0 ? rest.join(':') : passwordVariable;
  if (password === undefined) {
    throw new WeaveError(
      'USAGE',
      `--etcd-user: no password for ${user}; set ETCDCTL_PASSWORD, or put ${user}:PASSWORD into a file and use --etcd-user-file`,
    );
  }
  return { ...tls, user, password };
}

/** Whether flags or environment name an etcd. */
export function usesEtcd(args: Args<typeof launchOptions>, env: NodeJS.ProcessEnv): boolean {
  return /^etcds?:/.test(args.store ?? env.WEAVE_STORE ?? '');
}
