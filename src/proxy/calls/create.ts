import { hasCode, messageOf } from '../../lib/errors.ts';
import { eachOf } from '../../lib/lock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Created, CreatedRecords } from '../../model/created.ts';
import { decide, isUserNetwork, type PolicyOptions } from '../../model/policy.ts';
import { shimDirectory } from '../../model/shim.ts';
import { withBody } from '../intercept/answer.ts';
import type { Call, EngineAnswer, ErrorAnswer, Handler } from '../intercept/contract.ts';
import { JsonObject, UnexpectedType } from './body.ts';
import { commandOf, prefixCommand } from './command.ts';
import { type HostnameOptions, Hostnames } from './hostname.ts';
import { type Image, mergeEnv, noImage, toImage } from './image.ts';
import { placeShim } from './placement.ts';
import { hostAsked, type Provision, putDns, putShim } from './provision.ts';

/** The engine's images. */
export interface Images {
  /** Image inspect, whatever its status. @param platform as the create call has it: `linux/arm64` */
  imageInspect(reference: string, platform?: string): Promise<{ status: number; body: string }>;
}

/** The engine's containers, whose volumes others can have. */
export interface Volumes {
  /** @returns undefined when there is no such container */
  inspect(idOrName: string): Promise<{ mountPoints: readonly string[] } | undefined>;
}

/** The flags of `launch` that creation uses. */
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
  /** Why a container with this name won't be found by it, or not alone; for people. */
  warnings(called: Called): string[];
  /** A container's hostname was derived from its name, not given by the user. */
  keepMade(id: string, hostname: string): Promise<void>;
}

/** Containers whose start is likely to follow. */
export interface UpcomingStarts {
  /** @param id 64 hex digits */
  expect(id: string): void;
}

/** What creation works with. */
export interface CreateDeps {
  images: Images;
  containers: Volumes;
  created: CreatedRecords;
  namings: Namings;
  upcoming: UpcomingStarts;
  provision: Provision;
  logger: Logger;
}

/** POST containers/create: gives a container that is to be attached the shim, its name and the DNS server. */
export function createContainer(
  options: CreateOptions,
  { images, containers, created, namings, upcoming, provision, logger }: CreateDeps,
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
    const networkMode = networkOf(config, host);
    const shares = networkMode === 'host' || networkMode.startsWith('container:');
    // The image's command matters only if the container runs it.
    if (shares && (config.command('Entrypoint') ?? []).length > 0) return call.forward();

    let image = await findImage(call, config);
    if (image === undefined) {
      if (shares) return call.forward();
      const refusal = await call.forward(withoutCommand(await call.body()));
      // It may have been pulled meanwhile; then the engine found no command, and created nothing.
      image = await findImage(call, config);
      if (image === undefined) return refusal;
      await refusal.buffer();
    }

    const env = mergeEnv(config.strings('Env') ?? [], image.env);
    const labels = { ...image.labels, ...config.map('Labels') };
    if (shares || !decide({ networkMode, env, labels }, options).attach)
      return call.forward(withImagesOwnCommand(config, image));

    const command = commandOf(config, image);
    // Without one the engine refuses, in its own words.
    if (command === undefined) return call.forward();
    const asked: Created = {
      entrypoint: command.entrypoint,
      cmd: command.cmd,
      hostname: config.string('Hostname'),
      domainname: config.string('Domainname'),
      ...hostAsked(host),
    };
    const inherited = await mountPointsOf(host.strings('VolumesFrom') ?? []);
    const target = placeShim({ config, host, image, inherited, command, env });
    prefixCommand(config, { command, target });
    const source = shimDirectory(provision.stateDir, options.multicastRoute ? 'multicast' : 'wait');
    putShim(host, { source, target });
    // An updater copied it from inspect; no user asked for it.
    if (await created.isMadeOfId(asked.hostname)) config.set('Hostname', '');
    const name = call.route.query.get('name') ?? '';
    const { hostname, made, warnings } = nameContainer(config, {
      name,
      labels,
      userNetwork: isUserNetwork(networkMode),
      hostUts: host.string('UTSMode') === 'host',
    });
    putDns(host, { networkMode, hostname }, provision);
    config.set('HostConfig', host);
    return remember(await call.forward(config.toBuffer()), { asked, made, warnings });
  }

  /** @param from `container` or `container:mode` */
  async function mountPointsOf(from: readonly string[]): Promise<string[]> {
    const names = new Set(from.map((each) => each.replace(/:.*/, '')));
    names.delete('');
    const found: string[] = [];
    await eachOf([...names], 8, async (name) => {
      // What is wrong with one, the engine says itself.
      const holder = await containers.inspect(name).catch(() => undefined);
      found.push(...(holder?.mountPoints ?? []));
    });
    return found;
  }

  /** Records the request and the derived names under the engine's id; adds the warnings. */
  async function remember(
    answer: EngineAnswer,
    { asked, made, warnings }: { asked: Created; made: string; warnings: readonly string[] },
  ): Promise<EngineAnswer> {
    if (answer.status !== 201) return answer;
    const body = await answer.buffer();
    const told = JsonObject.parse(body);
    const id = told?.string('Id') ?? '';
    if (id !== '') {
      created.put(id, asked);
      upcoming.expect(id);
    }
    // Known at once, and written in the background: the client does not wait for the disk.
    if (id !== '' && made !== '')
      namings.keepMade(id, made).catch((error: unknown) => {
        logger.warn({ container: id.slice(0, 12), reason: messageOf(error) }, 'cannot keep a made hostname');
      });
    if (warnings.length === 0 || told === undefined) return withBody(answer, body);
    for (const text of warnings) logger.warn({ container: id.slice(0, 12) }, text);
    told.set('Warnings', [...(told.strings('Warnings') ?? []), ...warnings]);
    return withBody(answer, told.toBuffer());
  }

  /** @returns undefined when the engine has no such image; an empty one for a container without */
  async function findImage(call: Call, config: JsonObject): Promise<Image | undefined> {
    const reference = config.string('Image');
    if (reference === '') return noImage;
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
      provision.dnsServers('').length === 0 ? [] : namings.warnings({ name, hostname, domainname, labels });
    // With the host's hostname the engine takes no other.
    if (asked !== '' || hostUts) return { hostname: asked, made: '', warnings: warningsOf(asked) };
    const hostname = hostnames.of(name, labels);
    if (hostname === undefined) {
      const text = `${name}.${options.dnsDomain} is longer than the 64 bytes of a hostname, so the container has one of the engine's; give it a shorter one with --hostname`;
      return { hostname: '', made: '', warnings: [text, ...warningsOf('')] };
    }
    if (hostname === '') return { hostname: '', made: '', warnings: warningsOf('') };
    // On user-defined networks Docker's DNS answers for the Hostname, with its address there: the full name is ours.
    const domain = userNetwork ? options.dnsDomain.replace(/\.$/, '') : '';
    config.set('Hostname', domain ? hostname.slice(0, -domain.length - 1) : hostname);
    // On others the engine would append it again.
    if (domain || domainname !== '') config.set('Domainname', domain);
    return { hostname, made: hostname, warnings: warningsOf(hostname) };
  }
}

/** The network that a container is created on: where there are endpoints, the engine connects it to those alone. */
function networkOf(config: JsonObject, host: JsonObject): string {
  const mode = host.string('NetworkMode');
  const endpoints = config.object('NetworkingConfig')?.keys('EndpointsConfig') ?? [];
  const isBridge = mode === '' || mode === 'default' || mode === 'bridge';
  return isBridge && endpoints.every(isUserNetwork) ? (endpoints[0] ?? mode) : mode;
}

/** How a container was named. */
interface Named {
  /** `''` if the engine will make it up */
  hostname: string;
  /** the same, if derived from the name; else `''` */
  made: string;
  warnings: string[];
}

/** The same request, made unfulfillable: it lacks a command, if not the image. */
function withoutCommand(body: Buffer): Buffer | undefined {
  const config = JsonObject.parse(body);
  config?.set('Entrypoint', ['']);
  config?.set('Cmd', []);
  return config?.toBuffer();
}

/**
 * A container that is not attached runs without the shim that a commit past the proxy left in its image.
 * @returns undefined: the request as it is
 */
function withImagesOwnCommand(config: JsonObject, image: Image): Buffer | undefined {
  if (!image.hasShim || config.command('Entrypoint') !== undefined) return undefined;
  const command = commandOf(config, image);
  if (command === undefined) return undefined;
  config.set('Entrypoint', command.entrypoint ?? []);
  if (command.inherited && command.cmd !== null) config.set('Cmd', command.cmd);
  return config.toBuffer();
}
