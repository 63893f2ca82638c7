import type { Created, StartFailure } from '../../model/created.ts';
import { isShimBind, isShimProgram, withoutShim } from '../../model/shim.ts';
import type { JsonObject } from './body.ts';
import { bindsShim } from './placement.ts';
import type { Provision } from './provision.ts';

/** How the engine writes that something has not happened. */
const never = '0001-01-01T00:00:00Z';

/** True for the inspect answer of a container that has the shim. */
export function hasShim(container: JsonObject): boolean {
  const entrypoint = container.object('Config')?.command('Entrypoint') ?? [];
  return isShimProgram(entrypoint[0]) && container.objects('Mounts').some(isShimMount);
}

/**
 * Edits the inspect answer of a container with the shim, so that it shows the container as requested.
 * @param created its record; undefined: our additions are recognised by their form
 */
export function showAsCreated(
  container: JsonObject,
  created: Created | undefined,
  provision: Provision,
): void {
  const config = container.object('Config');
  const host = container.object('HostConfig');
  if (!config || !host) return;
  const shown = created ?? guess(container, { config, host, provision });
  if (shown.hostname === '') hideName(container, config.string('Hostname'));
  config.set('Entrypoint', shown.entrypoint);
  if (config.has('Cmd') || shown.cmd !== null) config.set('Cmd', shown.cmd);
  config.set('Hostname', shown.hostname || container.string('Id').slice(0, 12));
  config.set('Domainname', shown.domainname);
  host.set('Dns', shown.dns);
  host.set('DnsSearch', shown.dnsSearch);
  host.set('Binds', shown.binds);
  if (created?.failure) showFailure(container, created.failure);
  container.set('Config', config);
  container.set('HostConfig', host);
  const [path = '', ...args] = [...(shown.entrypoint ?? []), ...(shown.cmd ?? [])];
  container.set('Path', path);
  container.set('Args', args);
  container.removeObjects('Mounts', isShimMount);
}

/** The engine lists a hostname among the names in each user-defined network; before 25 among its aliases. */
function hideName(container: JsonObject, hostname: string): void {
  const settings = container.object('NetworkSettings');
  // Its name, and what the engine makes of its id, are there without us.
  const isOwn = container.string('Name') === `/${hostname}` || container.string('Id').startsWith(hostname);
  if (settings === undefined || isOwn) return;
  settings.editEntries('Networks', (network) => {
    const field = network.has('DNSNames') ? 'DNSNames' : 'Aliases';
    const names = network.strings(field);
    const others = names?.filter((each) => each !== hostname) ?? [];
    if (names && others.length < names.length) network.set(field, others);
  });
  container.set('NetworkSettings', settings);
}

/** A start that fails leaves a container that has not run: as long as this was its last. */
function showFailure(container: JsonObject, failure: StartFailure): void {
  const state = container.object('State');
  if (state?.string('FinishedAt') !== failure.finishedAt) return;
  state.set('Status', 'created');
  state.set('ExitCode', failure.exitCode);
  state.set('Error', failure.message);
  state.set('StartedAt', never);
  state.set('FinishedAt', never);
  container.set('State', state);
}

function isShimMount(mount: JsonObject): boolean {
  return isShimBind(mount.string('Source'), mount.string('Destination'));
}

/** What the proxy would have turned into this. */
function guess(
  container: JsonObject,
  { config, host, provision }: { config: JsonObject; host: JsonObject; provision: Provision },
): Created {
  const domain = provision.dnsDomain.replace(/\.$/, '');
  const entrypoint = withoutShim(config.command('Entrypoint') ?? []);
  const hostname = config.string('Hostname');
  const named = hostname === `${container.string('Name').replace(/^\//, '')}.${domain}`;
  const binds = (host.strings('Binds') ?? []).filter((bind) => !bindsShim(bind));
  const search = host.strings('DnsSearch') ?? [];
  const ours = search[0] === '.' || search[0] === provision.dnsDomain;
  const dns = host.strings('Dns') ?? [];
  return {
    entrypoint: entrypoint.length > 0 ? entrypoint : null,
    cmd: config.command('Cmd') ?? null,
    hostname: named ? '' : hostname,
    domainname: config.string('Domainname'),
    dns: dns.filter((server) => !provision.isOurDns(server)),
    dnsSearch: ours ? [] : search,
    binds: binds.length > 0 ? binds : null,
  };
}
