import { acceptsConnections } from '../../lib/accepts.ts';
import { hasCode, WeaveError } from '../../lib/errors.ts';
import { paths } from '../../model/paths.ts';
import type { Context } from '../command.ts';

/**
 * Where clients reach the proxy; the first is the one to use.
 * Only root may ask the daemon; for others it is the usual socket, if they may open that.
 * @throws WeaveError NOT_RUNNING, NOT_ROOT
 */
export async function proxyEndpoints(control: Context['control']): Promise<[string, ...string[]]> {
  try {
    const { Proxy: proxy } = await control.call('report', {});
    // Every address to listen on is none to connect to.
    const [first, ...others] = (proxy?.Addresses ?? []).map((address) =>
      address.replace(/^tcp:\/\/(0\.0\.0\.0|\[::\]):/, 'tcp://127.0.0.1:'),
    );
    if (first === undefined) {
      throw new WeaveError('NOT_RUNNING', 'the proxy is off; launch weavets without --proxy=false');
    }
    return [first, ...others];
  } catch (error) {
    if (hasCode(error, 'NOT_ROOT') && (await acceptsConnections(paths.proxy.slice('unix://'.length))))
      return [paths.proxy];
    throw error;
  }
}
