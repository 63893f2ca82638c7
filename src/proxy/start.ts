import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { shimDirectory } from '../lib/shim.ts';
import { JsonObject, UnexpectedType } from './body.ts';
import type { Call, Handler } from './contract.ts';
import { type Provision, putDns, putShim } from './provision.ts';

/** A container's attachment on its way, while the engine starts the container. */
export interface Starting {
  /** 64 hex digits */
  readonly id: string;
  /** Once the engine has started it: resolves when ethwe, hosts file and names are there, or the container ended. */
  complete(): Promise<void>;
  /** The engine did not start it: takes back what was prepared. */
  abandon(): Promise<void>;
}

/** Attaches containers. */
export interface Attachments {
  /** Begins to get a container's addresses and names ready. @returns undefined: not one of ours */
  begin(idOrName: string, signal: AbortSignal): Promise<Starting | undefined>;
}

/** The engine's containers. */
export interface Containers {
  kill(id: string): Promise<void>;
  /** @returns undefined when there is no such container */
  inspect(
    idOrName: string,
    signal?: AbortSignal,
  ): Promise<{ hostname: string; shimSource: string | undefined } | undefined>;
}

/** The switches of `launch` that starts heed. */
export interface StartOptions {
  multicastRoute: boolean;
}

/** What starting works with. */
export interface StartParts {
  attachments: Attachments;
  containers: Containers;
  provision: Provision;
  logger: Logger;
}

/**
 * POST containers/{id}/start and restart: answered once the engine has started the container and it is attached.
 * One that can't be attached is killed, so that nothing runs half connected.
 */
export function startContainer(options: StartOptions, parts: StartParts): Handler {
  const { attachments, containers, logger } = parts;
  return async (call) => {
    const body = await call.body();
    // Not the client's signal: an engine that was told to start goes on, whoever listens.
    const starting = await attachments.begin(call.route.id, new AbortController().signal);
    const answer = await call.forward(await replacedHostConfig(call, body));
    if (!starting) return answer;
    if (answer.status !== 204 && answer.status !== 304) {
      await starting.abandon();
      return answer;
    }
    try {
      await starting.complete();
      return answer;
    } catch (error) {
      const message = messageOf(error);
      logger.error(
        { container: starting.id.slice(0, 12), reason: message },
        'killed: it could not be attached',
      );
      await containers.kill(starting.id).catch(() => {});
      answer.stream.resume();
      return { status: 500, message };
    }
  };

  /**
   * Clients before API 1.24 may send a HostConfig that the engine takes in place of the one of create: what create
   * put in goes in again. @returns undefined: the body as it is
   */
  async function replacedHostConfig(call: Call, body: Buffer): Promise<Buffer | undefined> {
    const host = call.route.name === 'start' ? JsonObject.parse(body) : undefined;
    if (host === undefined || host.isEmpty) return undefined;
    const info = await containers.inspect(call.route.id);
    if (info?.shimSource === undefined) return undefined;
    try {
      const networkMode = host.string('NetworkMode');
      const waits = networkMode !== 'host' && !networkMode.startsWith('container:');
      const mode = waits ? (options.multicastRoute ? 'multicast' : 'wait') : 'nowait';
      putShim(host, shimDirectory(parts.provision.stateDir, mode));
      if (waits)
        putDns(host, parts.provision, info.hostname.endsWith(`.${parts.provision.dnsDomain.slice(0, -1)}`));
      return host.toBuffer();
    } catch (error) {
      if (error instanceof UnexpectedType) return undefined;
      throw error;
    }
  }
}
