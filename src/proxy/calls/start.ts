import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { CreatedRecords } from '../../model/created.ts';
import { decide, type PolicyOptions, type Subject } from '../../model/policy.ts';
import { type ShimBind, shimDirectory, shimModes } from '../../model/shim.ts';
import type { Call, EngineAnswer, ErrorAnswer, Handler } from '../intercept/contract.ts';
import { JsonObject, UnexpectedType } from './body.ts';
import type { PendingStarts } from './pending-starts.ts';
import { hostAsked, type Provision, putDns, putShim } from './provision.ts';

/** A pending attachment, while the engine starts the container. */
export interface Starting {
  /** 64 hex digits */
  readonly id: string;
  /** pid of the run that ends before, as in a restart; 0 if it does not run */
  readonly previous: number;
  /** Once the engine has started it: resolves when ethwe, hosts file and names are there, or the container ended. */
  complete(): Promise<void>;
  /** The engine did not start it: undoes what was prepared. */
  abandon(): Promise<void>;
}

/** Attaches containers. */
export interface StartAttachments {
  /**
   * Begins to get a container's addresses and names ready. @param restarts a run that goes on ends first
   * @returns undefined: not one of ours
   */
  begin(idOrName: string, signal: AbortSignal, restarts: boolean): Promise<Starting | undefined>;
}

/** What a start reads of a container. */
export interface ContainerFacts extends Omit<Subject, 'networkMode'> {
  /** 64 hex digits */
  id: string;
  /** Config.Hostname and, if set, a dot and Config.Domainname */
  hostname: string;
  /** the shim's folder, where it is bound */
  shim: ShimBind | undefined;
}

/** The engine's containers. */
export interface ContainerInspector {
  kill(id: string): Promise<void>;
  /** @returns undefined when there is no such container */
  inspect(idOrName: string, signal?: AbortSignal): Promise<ContainerFacts | undefined>;
}

/** Outcomes of containers' commands. */
export interface Outcomes {
  /** The container is about to be started again. */
  forget(id: string): void;
  /** Resolves when that is known. @returns the engine's error for one that can't be run, and was stopped */
  failure(id: string): Promise<{ status: number; message: string } | undefined>;
}

/** The flags of `launch` that starts use. */
export interface StartOptions extends PolicyOptions {
  multicastRoute: boolean;
}

/** What starting works with. */
export interface StartDeps {
  attachments: StartAttachments;
  containers: ContainerInspector;
  created: CreatedRecords;
  outcomes: Outcomes;
  provision: Provision;
  logger: Logger;
}

/** An old client's replacement for create's HostConfig. */
interface Replacement {
  body: Buffer;
  /** false: on its network the container is not ours */
  attach: boolean;
  /** The engine has accepted it: the container is as it says from now on. */
  taken: () => void;
}

/**
 * POST containers/{id}/start and restart: answered once the engine has started the container and it is attached.
 * One that can't be attached is killed, so that nothing runs half connected, unless it ran before this call.
 */
export function startContainer(options: StartOptions, starts: PendingStarts, parts: StartDeps): Handler {
  const { attachments, containers, created, outcomes, provision, logger } = parts;

  return async (call) => {
    const replacement = call.route.name === 'start' ? await replacedHostConfig(call) : undefined;
    if (replacement?.attach === false) return take(await call.forward(replacement.body), replacement);
    // Not the client's signal: an engine that was told to start does so even if nobody listens.
    const restarts = call.route.name === 'restart';
    const starting = await attachments.begin(call.route.id, new AbortController().signal, restarts);
    if (!starting) return call.forward(replacement?.body);
    return starts.track(starting.id, starting.previous, () => start(call, starting, replacement));
  };

  async function start(
    call: Call,
    starting: Starting,
    replacement?: Replacement,
  ): Promise<EngineAnswer | ErrorAnswer> {
    const container = starting.id.slice(0, 12);
    let started = false;
    outcomes.forget(starting.id);
    try {
      const answer = take(await call.forward(replacement?.body), replacement);
      // 304: it is already running.
      started = answer.status === 204 || answer.status === 304;
      if (!started) return answer;
      try {
        await starting.complete();
      } catch (error) {
        const message = messageOf(error);
        answer.stream.resume();
        if (answer.status === 304) {
          logger.error(
            { container, reason: message },
            'not attached; it ran before this start, and keeps running',
          );
          return { status: 500, message };
        }
        logger.error({ container, reason: message }, 'killed: it could not be attached');
        // It may have ended by itself.
        await containers.kill(starting.id).catch(() => {});
        return { status: 500, message };
      }
      const failure = await outcomes.failure(starting.id);
      if (failure === undefined) return answer;
      answer.stream.resume();
      if (call.route.name === 'start') return failure;
      return { status: 500, message: `Cannot restart container ${call.route.id}: ${failure.message}` };
    } finally {
      if (!started) {
        await starting.abandon().catch((error: unknown) => {
          logger.error({ container, reason: messageOf(error) }, 'cannot undo an attachment');
        });
      }
    }
  }

  /**
   * Clients before API 1.24 may send a HostConfig that the engine takes in place of the one of create: what create
   * put in goes in again. @returns undefined: the body as it is
   */
  async function replacedHostConfig(call: Call): Promise<Replacement | undefined> {
    const root = JsonObject.parse(await call.body());
    if (!root || root.isEmpty) return undefined;
    const info = await containers.inspect(call.route.id);
    const shim = info?.shim;
    if (!shim || !shimModes.some((mode) => shimDirectory(provision.stateDir, mode) === shim.source))
      return undefined;
    try {
      // It is the member of that name or, where there is none, the body itself.
      const inner = root.object('HostConfig');
      if (!inner && root.has('HostConfig')) return undefined;
      const host = inner ?? root;
      const networkMode = host.string('NetworkMode');
      const { attach } = decide({ ...info, networkMode }, options);
      const mode = options.multicastRoute ? 'multicast' : 'wait';
      const source = shimDirectory(provision.stateDir, attach ? mode : 'nowait');
      const kept = await created.get(info.id);
      const record = kept && { ...kept, ...hostAsked(host) };
      putShim(host, { source, target: shim.target });
      // Without a hostname the engine derives one from the id.
      const hostname = info.id.startsWith(info.hostname) ? '' : info.hostname;
      if (attach) putDns(host, { networkMode, hostname }, provision);
      if (inner) root.set('HostConfig', inner);
      return { body: root.toBuffer(), attach, taken: () => record && created.put(info.id, record) };
    } catch (error) {
      if (error instanceof UnexpectedType) return undefined;
      throw error;
    }
  }
}

function take(answer: EngineAnswer, replacement?: Replacement): EngineAnswer {
  if (answer.status === 204) replacement?.taken();
  return answer;
}
