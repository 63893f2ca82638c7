import type { CreatedRecords } from '../../model/created.ts';
import { withBody } from '../intercept/answer.ts';
import type { EngineAnswer, Handler } from '../intercept/contract.ts';
import { hasShim, showAsCreated } from './as-created.ts';
import { JsonObject, UnexpectedType } from './body.ts';
import type { PendingStarts } from './pending-starts.ts';
import type { Provision } from './provision.ts';

/** A container's first address on the network. */
export interface Network {
  ip: string;
  prefix: number;
  mac: string;
}

/** The network, for inspect answers. */
export interface Inspected {
  /** Resolves when pending work for this container has ended. */
  settled(id: string): Promise<void>;
  /** undefined: not attached */
  network(id: string): Network | undefined;
}

/** The flags of `launch` that inspecting uses. */
export interface InspectOptions {
  /** --rewrite-inspect */
  rewriteInspect: boolean;
}

/** What inspecting works with. */
export interface InspectDeps {
  starts: PendingStarts;
  inspected: Inspected;
  created: CreatedRecords;
  provision: Provision;
}

/**
 * GET containers/{id}/json and exec/{id}/json: shows the container as its user made it, without what the proxy added.
 * One that is being started is told of when it is attached.
 */
export function inspectContainer({ rewriteInspect }: InspectOptions, parts: InspectDeps): Handler {
  const { starts, inspected, created, provision } = parts;
  return async (call) => {
    let found = await read(await call.forward());
    const starting = startOf(found.info);
    if (starting) {
      await starting;
      found = await read(await call.forward());
    }
    const { answer, info } = found;
    if (info === undefined) return answer;
    try {
      return (await edit(info)) ? withBody(answer, info.toBuffer()) : answer;
    } catch (error) {
      // A different kind of engine: leave it as it is.
      if (error instanceof UnexpectedType) return answer;
      throw error;
    }
  };

  /** @returns what to wait for; undefined for an exec as well: it belongs to a run that has begun */
  function startOf(info: JsonObject | undefined): Promise<unknown> | undefined {
    if (info === undefined || info.has('ContainerID')) return undefined;
    return starts.settled(idOf(info), pidOf(info));
  }

  /** @returns false when there was nothing to edit */
  async function edit(info: JsonObject): Promise<boolean> {
    const id = idOf(info);
    // An exec's answer carries its container's only on engines of old.
    const container = info.object('Container') ?? info;
    let edited = hasShim(container);
    if (edited) showAsCreated(container, await created.get(id), provision);
    if (rewriteInspect) {
      await inspected.settled(id);
      const network = inspected.network(id);
      const settings = container.object('NetworkSettings');
      if (network && settings) {
        rewrite(settings, network);
        container.set('NetworkSettings', settings);
        edited = true;
      }
    }
    if (edited && info.has('Container')) info.set('Container', container);
    return edited;
  }
}

/** Of its first process; 0 where it does not run, or the engine is of a different kind. */
function pidOf(info: JsonObject): number {
  try {
    return info.object('State')?.number('Pid') ?? 0;
  } catch {
    return 0;
  }
}

/** The id of the answer's container. */
function idOf(info: JsonObject | undefined): string {
  return info?.string('ContainerID') || info?.string('Id') || '';
}

async function read(answer: EngineAnswer): Promise<{ answer: EngineAnswer; info: JsonObject | undefined }> {
  if (answer.status !== 200) return { answer, info: undefined };
  const body = await answer.buffer();
  return { answer: withBody(answer, body), info: JsonObject.parse(body) };
}

/** Since API 1.52 addresses are those of networks only. */
function rewrite(settings: JsonObject, { ip, prefix, mac }: Network): void {
  const flat = settings.has('IPAddress');
  const target = flat ? settings : JsonObject.empty();
  target.set('IPAddress', ip);
  target.set('IPPrefixLen', prefix);
  target.set('MacAddress', mac);
  if (flat) return;
  const networks = settings.object('Networks') ?? JsonObject.empty();
  networks.set('weave', target);
  settings.set('Networks', networks);
}
