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

/** What {@link followEvents} needs beside the follower. */
export interface FollowDeps {
  signal: AbortSignal;
  logger: Logger;
  /** first pause between two attempts, and the longest, ms; each doubles the one before */
  pauses?: { first: number; longest: number };
}

const actions = ['start', 'die', 'destroy'] as const;

/**
 * Follows the engine's container events until `signal`, over engine restarts. The stream is opened before
 * `connected` lists, so that nothing falls between the two.
 */
export async function followEvents(
  client: Pick<EngineClient, 'events' | 'forgetVersion'>,
  follower: Follower,
  { signal, logger, pauses = { first: 50, longest: 5_000 } }: FollowDeps,
): Promise<void> {
  let pause = pauses.first;
  // One line when it is lost and one when it is back, however long that takes.
  let lost = false;
  const found = () => {
    pause = pauses.first;
    if (lost) logger.info('the engine is back');
    lost = false;
  };
  while (!signal.aborted) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener('abort', end);
    let reason = 'it ended its event stream';
    try {
      const stream = await client.events({ type: ['container'], event: [...actions] }, attempt.signal);
      await Promise.all([follower.connected().then(found), read(stream, follower)]);
    } catch (error) {
      reason = messageOf(error);
    } finally {
      signal.removeEventListener('abort', end);
      // Whatever failed: the stream goes with it.
      attempt.abort();
    }
    if (signal.aborted) return;
    logger[lost ? 'debug' : 'warn']({ reason }, 'lost the engine; connecting again until it is back');
    lost = true;
    client.forgetVersion();
    await delay(pause, undefined, { signal }).catch(() => {});
    pause = Math.min(pause * 2, pauses.longest);
  }
}

async function read(stream: NodeJS.ReadableStream, follower: Follower): Promise<void> {
  let rest = '';
  stream.setEncoding('utf8');
  for await (const text of stream) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = parse(line);
      if (event !== undefined) follower.event(event);
    }
  }
}

/** @returns undefined for a line that is no event of these */
function parse(line: string): ContainerEvent | undefined {
  // Type, Action and Actor only: `status`, `id` and `from` are gone since API 1.52.
  const { Action, Actor } = fieldsOf(line);
  const action = actions.find((candidate) => candidate === Action);
  return action === undefined || Actor?.ID === undefined ? undefined : { action, id: Actor.ID };
}

function fieldsOf(line: string): { Action?: string; Actor?: { ID?: string } } {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}
