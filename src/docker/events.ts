import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { EngineClient } from './client.ts';

/** A change in a container's life that attachment depends on. */
export interface ContainerEvent {
  action: 'start' | 'die' | 'destroy';
  /** 64 hex digits */
  id: string;
}

/** What follows the engine's events. */
export interface Follower {
  /** The stream is (again) there, and events may have been missed: look at everything anew. */
  connected(): Promise<void>;
  event(event: ContainerEvent): void;
}

const actions = new Set<string>(['start', 'die', 'destroy']);
const longestPause = 2_000;

/**
 * Follows the engine's container events until `signal`, over engine restarts. The stream is opened before
 * `connected` lists, so that nothing falls between the two.
 */
export async function followEvents(
  client: EngineClient,
  follower: Follower,
  { signal, logger }: { signal: AbortSignal; logger: Logger },
): Promise<void> {
  let pause = 50;
  while (!signal.aborted) {
    try {
      const docker = await client.dockerode();
      const stream = await docker.getEvents({
        filters: { type: ['container'], event: [...actions] },
        abortSignal: signal,
      });
      pause = 50;
      await Promise.all([follower.connected(), read(stream, follower)]);
      logger.warn('the engine ended its event stream; connecting again');
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ reason: messageOf(error) }, 'lost the engine; connecting again');
    }
    client.forgetVersion();
    await delay(pause, undefined, { signal }).catch(() => {});
    pause = Math.min(pause * 2, longestPause);
  }
}

async function read(stream: NodeJS.ReadableStream, follower: Follower): Promise<void> {
  for await (const line of createInterface({ input: stream })) {
    if (line === '') continue;
    // Type, Action and Actor only: `status`, `id` and `from` are gone since API 1.52.
    const { Action, Actor } = JSON.parse(line) as { Action?: string; Actor?: { ID?: string } };
    if (Action === undefined || Actor?.ID === undefined || !actions.has(Action)) continue;
    follower.event({ action: Action as ContainerEvent['action'], id: Actor.ID });
  }
}
