import { WeaveError } from '../lib/errors.ts';
import { withEtcdPort } from '../model/members.ts';
import type { EtcdLogin } from './config.ts';
import type { launchOptions } from './launch-options.ts';
import type { Args } from './option.ts';
import { etcdTls } from './tls-files.ts';

/**
 * `lmdb`, `etcd://HOST:PORT,…` or, with TLS, `etcds://…`. Other hosts without a store mean the etcd that runs there.
 * @throws WeaveError USAGE
 */
export function parseStore(
  given: string | undefined,
  { peers, etcd }: { peers: readonly string[]; etcd: EtcdLogin | null },
): string {
  const text = given ?? (peers.length > 0 ? `etcd://${peers.map(withEtcdPort).join(',')}` : 'lmdb');
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

/** How etcd lets us in, from flags or what etcdctl takes from the environment. @throws WeaveError TLS_CONFIG, USAGE */
export function parseEtcdLogin(args: Args<typeof launchOptions>, env: NodeJS.ProcessEnv): EtcdLogin | null {
  const given = (flag: 'etcd-cacert' | 'etcd-cert' | 'etcd-key' | 'etcd-user', variable: string) =>
    args[flag] || (usesEtcd(args, env) && env[variable]) || undefined;
  const tls = etcdTls({
    cacert: given('etcd-cacert', 'ETCDCTL_CACERT'),
    cert: given('etcd-cert', 'ETCDCTL_CERT'),
    key: given('etcd-key', 'ETCDCTL_KEY'),
  });
  const [user = '', ...rest] = given('etcd-user', 'ETCDCTL_USER')?.split(':') ?? [];
  if (user === '') return tls ?? null;
  const password = rest.length > 0 ? rest.join(':') : env.ETCDCTL_PASSWORD;
  if (password === undefined) {
    throw new WeaveError(
      'USAGE',
      `--etcd-user: there is no password of ${user}; write --etcd-user ${user}:PASSWORD, or set ETCDCTL_PASSWORD`,
    );
  }
  return { ...tls, user, password };
}

/** The environment may be meant for an etcdctl: it makes no cluster of a host that is alone. */
function usesEtcd(args: Args<typeof launchOptions>, env: NodeJS.ProcessEnv): boolean {
  return /^etcds?:/.test(args.store ?? env.WEAVE_STORE ?? '') || args.words.length > 0;
}
