import { hasCode } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { decide, isUserNetwork, type PolicyOptions } from '../../model/policy.ts';
import { shimDirectory } from '../../model/shim.ts';
import { withBody } from '../intercept/answer.ts';
import type { Call, EngineAnswer, ErrorAnswer, Handler } from '../intercept/contract.ts';
import { JsonObject, UnexpectedType } from './body.ts';
import { type HostnameOptions, Hostnames } from './hostname.ts';
import { isShimTarget, type Provision, prefixed, putDns, putShim } from './provision.ts';

/** The engine's images. */
export interface Images {
  /** Image inspect, whatever its status. @param platform as the create call has it: `linux/arm64` */
  imageInspect(reference: string, platform?: string): Promise<{ status: number; body: string }>;
}

/** The switches of `launch` that creation heeds. */
export interface CreateOptions extends PolicyOptions, HostnameOptions {
  multicastRoute: boolean;
}

/** What a container is to be called. */
export interface Called {
  /** `''` if the engine makes one up */
  name: string;
  hostname: string;
  domainname: string;
  labels: Readonly<Record<string, string>>;
}

/** The names that containers are found by. */
export interface Namings {
  /** Why a container that is called so will not be found by it, or not alone; for people. */
  warnings(called: Called): string[];
  /** A container's hostname was made of its name: nobody asked for it. */
  keepMade(id: string, hostname: string): Promise<void>;
}

/** What creation works with. */
export interface CreateParts {
  images: Images;
  namings: Namings;
  provision: Provision;
  logger: Logger;
}

/** What an image gives to a container that has none of its own. */
interface Image {
  entrypoint: string[] | undefined;
  cmd: string[];
  env: string[];
  labels: Record<string, string>;
}

/** POST containers/create: gives a container that is to be attached the shim, its name and the DNS server. */
export function createContainer(
  options: CreateOptions,
  { images, namings, provision, logger }: CreateParts,
): Handler {
  const hostnames = new Hostnames(options);
  return async (call) => {
    const original = await call.body();
    const config = JsonObject.parse(original);
    if (config === undefined) return call.forward();
    try {
      return await create(call, config);
    } catch (error) {
      if (error instanceof UnexpectedType) return call.forward();
      if (hasCode(error, 'BAD_WEAVE_CIDR')) return { status: 400, message: error.message };
      throw error;
    }
  };

  async function create(call: Call, config: JsonObject): Promise<EngineAnswer | ErrorAnswer> {
    const host = config.object('HostConfig') ?? JsonObject.empty();
    const networkMode = host.string('NetworkMode');
    if (networkMode === 'host' || networkMode.startsWith('container:')) return call.forward();

    let image = await findImage(call, config);
    if (image === undefined) {
      const refusal = await call.forward(withoutCommand(await call.body()));
      // It may have been pulled meanwhile; then the engine found no command, and made nothing.
      image = await findImage(call, config);
      if (image === undefined) return refusal;
      await refusal.buffer();
    }

    const env = mergeEnv(config.strings('Env') ?? [], image.env);
    const labels = { ...image.labels, ...config.map('Labels') };
    if (!decide({ networkMode, env, labels }, options).attach) return call.forward();

    // Without a command the engine refuses, in its own words.
    if (!prefixCommand(config, image)) return call.forward();
    putShim(host, shimDirectory(provision.stateDir, options.multicastRoute ? 'multicast' : 'wait'));
    config.removeKeys('Volumes', isShimTarget);
    const name = call.route.query.get('name') ?? '';
    const { hostname, made, warnings } = nameContainer(config, {
      name,
      labels,
      userNetwork: isUserNetwork(networkMode),
      hostUts: host.string('UTSMode') === 'host',
    });
    putDns(host, provision, hostname);
    config.set('HostConfig', host);
    const answer = await call.forward(config.toBuffer());
    return answer.status === 201 ? created(answer, made, warnings) : answer;
  }

  /** Remembers what was made, and tells the client what to know of it. */
  async function created(
    answer: EngineAnswer,
    made: string,
    warnings: readonly string[],
  ): Promise<EngineAnswer> {
    if (made === '' && warnings.length === 0) return answer;
    const body = await answer.buffer();
    const told = JsonObject.parse(body);
    const id = told?.string('Id') ?? '';
    if (id !== '' && made !== '') await namings.keepMade(id, made);
    if (warnings.length === 0 || told === undefined) return withBody(answer, body);
    for (const text of warnings) logger.warn({ container: id.slice(0, 12) }, text);
    told.set('Warnings', [...(told.strings('Warnings') ?? []), ...warnings]);
    return withBody(answer, told.toBuffer());
  }

  /** @returns undefined when the engine has no such image; an empty one for a container without */
  async function findImage(call: Call, config: JsonObject): Promise<Image | undefined> {
    const reference = config.string('Image');
    if (reference === '') return { entrypoint: undefined, cmd: [], env: [], labels: {} };
    const platform = call.route.query.get('platform') || undefined;
    let found = await images.imageInspect(reference, platform);
    // Create takes more spellings of a platform than inspect does; then its entrypoint is that of the usual one.
    if (found.status === 400 && platform) found = await images.imageInspect(reference);
    return found.status === 200 ? toImage(found.body) : undefined;
  }

  /** Sets the hostname unless there is one. */
  function nameContainer(
    config: JsonObject,
    {
      name: given,
      labels,
      userNetwork,
      hostUts,
    }: { name: string; labels: Record<string, string>; userNetwork: boolean; hostUts: boolean },
  ): Named {
    const name = given.replace(/^\//, '');
    const asked = config.string('Hostname');
    const domainname = config.string('Domainname');
    const warningsOf = (hostname: string) =>
      provision.dnsAddress === null ? [] : namings.warnings({ name, hostname, domainname, labels });
    // With the host's hostname the engine takes no other.
    if (asked !== '' || hostUts) return { hostname: asked, made: '', warnings: warningsOf(asked) };
    const hostname = hostnames.of(name, labels);
    if (hostname === undefined) {
      const text = `${name}.${options.dnsDomain} is longer than the 64 bytes of a hostname, so the container has one of the engine's; give it a shorter one with --hostname`;
      return { hostname: '', made: '', warnings: [text, ...warningsOf('')] };
    }
    if (hostname === '') return { hostname: '', made: '', warnings: warningsOf('') };
    // On networks of the user Docker's DNS answers for the Hostname, with the address there: the full name is ours.
    const domain = userNetwork ? options.dnsDomain.replace(/\.$/, '') : '';
    config.set('Hostname', domain ? hostname.slice(0, -domain.length - 1) : hostname);
    // On others the engine would append it once more.
    if (domain || domainname !== '') config.set('Domainname', domain);
    return { hostname, made: hostname, warnings: warningsOf(hostname) };
  }
}

/** How a container was named. */
interface Named {
  /** `''` if the engine will make it up */
  hostname: string;
  /** the same, if we made it of the name; else `''` */
  made: string;
  warnings: string[];
}

/** The same request, which the engine can't fulfil: it misses a command, if it does not miss the image. */
function withoutCommand(body: Buffer): Buffer | undefined {
  const config = JsonObject.parse(body);
  config?.set('Entrypoint', ['']);
  config?.set('Cmd', []);
  return config?.toBuffer();
}

/**
 * Puts the shim before the command, as the engine will make it out of request and image.
 * @returns false when there is no command
 */
function prefixCommand(config: JsonObject, image: Image): boolean {
  const entrypoint = config.command('Entrypoint');
  const cmd = config.command('Cmd') ?? [];
  // With an entrypoint of its own the request does without the image's Cmd.
  const inherits = cmd.length === 0 && (entrypoint ?? []).length === 0;
  const effectiveCmd = inherits ? image.cmd : cmd;
  let effective = entrypoint ?? image.entrypoint ?? [];
  // How docker run --entrypoint= says: none, not even the image's.
  if (effective.length === 1 && effective[0] === '') effective = [];
  if (effective.length === 0 && effectiveCmd.length === 0) return false;
  config.set('Entrypoint', prefixed(effective));
  if (inherits) config.set('Cmd', effectiveCmd);
  return true;
}

/** As the engine merges: the image's variables that the request does not name; a bare `KEY` names one, too. */
function mergeEnv(own: readonly string[], images: readonly string[]): string[] {
  const named = new Set(own.map(keyOf));
  return [...own, ...images.filter((entry) => !named.has(keyOf(entry)))];
}

function keyOf(entry: string): string | undefined {
  return entry.split('=', 1)[0];
}

/** Newer engines leave out what is empty; older ones write null. */
function toImage(body: string): Image {
  const { Config } = JSON.parse(body) as {
    Config?: {
      Entrypoint?: string[] | null;
      Cmd?: string[] | null;
      Env?: string[] | null;
      Labels?: Record<string, string> | null;
    } | null;
  };
  return {
    entrypoint: Config?.Entrypoint ?? undefined,
    cmd: Config?.Cmd ?? [],
    env: Config?.Env ?? [],
    labels: Config?.Labels ?? {},
  };
}
