import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import type { LaunchConfig } from '../config/config.ts';
import { etcdEndpoint, etcdTls } from './overlay.ts';

/** ms to wait for a member */
const patience = 3_000;
/** ms that a Date header cuts off the time, on average */
const cutOff = 500;

/**
 * How far this host's clock is ahead of those of etcd's members, ms, to half a second; of those that tell.
 * @param members `host:port`
 */
export async function storeClocks(
  config: Pick<LaunchConfig, 'store' | 'etcd'>,
  members: readonly string[],
): Promise<{ of: string; ahead: number }[]> {
  const [scheme = ''] = config.store.split(':');
  const tls = await etcdTls(config);
  const read = async (of: string) => {
    const asked = Date.now();
    const date = await dateOf(`${etcdEndpoint(scheme, of)}/version`, tls).catch(() => undefined);
    const theirs = Date.parse(date ?? '');
    return Number.isNaN(theirs) ? [] : [{ of, ahead: (asked + Date.now()) / 2 - theirs - cutOff }];
  };
  return (await Promise.all(members.map(read))).flat();
}

/** The time by a server's Date header, whatever else it answers. */
function dateOf(url: string, tls: Awaited<ReturnType<typeof etcdTls>>): Promise<string | undefined> {
  const signal = AbortSignal.timeout(patience);
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      response.resume();
      resolve(response.headers.date);
    };
    const request = url.startsWith('https:')
      ? httpsGet(url, { ...tls, signal, agent: false }, answered)
      : httpGet(url, { signal, agent: false }, answered);
    request.on('error', reject);
  });
}
