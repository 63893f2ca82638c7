import type { RequestListener } from 'node:http';
import { WeaveError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { type Cidr, parseIp } from '../../model/address.ts';
import { isLoopback } from '../../model/endpoint.ts';
import { checkName } from '../../model/names.ts';
import { ourHosts } from '../guard.ts';
import { HttpServer, splitAddress } from '../listen.ts';
import { notFound, type RouteCall, type Routes, serveRoutes } from '../router.ts';
import { type Addresses, type ContainerLookup, checkAlive, ipRoutes, ownerOf } from './ip.ts';
import { type ReadDeps, readRoutes } from './read.ts';

/** What Weave Net's HTTP API works on. */
export interface ApiDeps extends ReadDeps {
  addresses: Addresses;
  containers: ContainerLookup;
  names: {
    add(owner: string, fqdn: string, ips: readonly string[]): Promise<void>;
    remove(owner: string, fqdn: string | undefined, ips: readonly string[]): Promise<void>;
  };
  exposer: {
    expose(
      requests: readonly string[],
      options: { fqdn: string | null; masquerade: boolean; hostsFile: boolean },
    ): Promise<Cidr[]>;
    hide(requests: readonly string[]): Promise<Cidr[]>;
  };
  /** `weave.local.` */
  dnsDomain: string;
  /** null: DNS is off */
  dnsIp: () => string | null;
}

/** The API as the control socket serves it, beside its operations. */
export function apiListener(parts: ApiDeps, logger: Logger): RequestListener {
  return serveRoutes(apiRoutes(parts), { isOurHost: ourHosts(), logger });
}

/**
 * Serves the API on a TCP address, `ip:port`.
 * @throws WeaveError INSECURE_TCP if others can reach it, unless that is allowed; ADDRESS_IN_USE, LAUNCH_FAILED
 */
export async function startApiServer(
  { address, allowInsecureTcp }: { address: string; allowInsecureTcp: boolean },
  parts: ApiDeps,
  logger: Logger,
): Promise<HttpServer> {
  const { host } = splitAddress(address);
  if (!allowInsecureTcp && !isLoopback(host)) {
    throw new WeaveError(
      'INSECURE_TCP',
      `--http-addr ${address} would let others control this host; use 127.0.0.1, or add --allow-insecure-tcp`,
    );
  }
  const listener = serveRoutes(apiRoutes(parts), { isOurHost: ourHosts(host), logger });
  return HttpServer.listen(address, '--http-addr or WEAVE_HTTP_ADDR', listener);
}

/**
 * Weave Net's HTTP API: what `readRoutes` reads, and addresses, names and the host's own addresses to change.
 * Values come bare, as programs read them; texts for people in lines.
 */
function apiRoutes(parts: ApiDeps): Routes {
  const { dnsDomain, dnsIp, report } = parts;
  return {
    ...readRoutes(parts),
    ...ipRoutes(parts.addresses, parts.containers),
    ...nameRoutes(parts),
    ...exposeRoutes(parts),
    '/proxyaddrs': {
      GET: () => {
        const proxy = report().Proxy;
        return proxy ? { text: proxy.Addresses.join('\n') } : notFound('the proxy is off');
      },
    },
    '/domain': { GET: () => ({ text: dnsDomain }) },
    '/dns-address': {
      GET: () => {
        const address = dnsIp();
        return address === null ? notFound('DNS is off') : { text: address };
      },
    },
  };
}

/** `/name/ID/IP?fqdn=NAME`; without what comes last, DELETE takes all. */
function nameRoutes({ names, containers }: ApiDeps): Routes {
  async function remove({ path: { id }, parameters }: RouteCall, ips: string[]) {
    await names.remove(await ownerOf(containers, id), parameters.get('fqdn') ?? undefined, ips);
    return {};
  }
  return {
    '/name/:id': { DELETE: (call) => remove(call, []) },
    '/name/:id/:ip': {
      PUT: async ({ path: { id, ip }, parameters }) => {
        parseIp(ip);
        const fqdn = parameters.get('fqdn') ?? '';
        checkName('fqdn', fqdn);
        if (parameters.get('check-alive') === 'true') await checkAlive(containers, id);
        await names.add(await ownerOf(containers, id), fqdn, [ip]);
        return {};
      },
      DELETE: (call) => {
        parseIp(call.path.ip);
        return remove(call, [call.path.ip]);
      },
    },
  };
}

/** `/expose/CIDR?fqdn=NAME&masquerade=false`; without a CIDR, an address of the default subnet. */
function exposeRoutes({ exposer }: ApiDeps): Routes {
  async function expose({ parameters }: RouteCall, requests: string[]) {
    const masquerade = parameters.get('masquerade') !== 'false';
    const options = { fqdn: parameters.get('fqdn'), masquerade, hostsFile: false };
    return { text: (await exposer.expose(requests, options)).join(' ') };
  }
  async function hide(requests: string[]) {
    const hidden = await exposer.hide(requests);
    return hidden.length > 0 ? {} : notFound('the host has no such address');
  }
  return {
    '/expose': { POST: (call) => expose(call, []), DELETE: () => hide([]) },
    '/expose/:cidr': {
      POST: (call) => expose(call, [call.path.cidr]),
      DELETE: ({ path: { cidr } }) => hide([cidr]),
    },
  };
}
