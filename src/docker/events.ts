import { setTimeout as delay } from 'node:timers/promises';
import { hasCode, messageOf, WeaveError } from '../lib/errors.ts';
import type { Conditions } from '../model/conditions.ts';
import type { EngineClient } from './client.ts';

/** A change in a container's life that attachment depends on. */
export interface ContainerEvent {
  /** `network`: it was connected to one, or disconnected */
  action: 'start' | 'die' | 'destroy' | 'rename' | 'network';
  /** 64 hex digits */
  id: string;
  /** as it is called now; it, and what follows, where the engine says so */
  name?: string;
  /** before a rename */
  oldName?: string;
  /** of a container that ended */
  exitCode?: string;
}

/** What follows the engine's events. */
export interface Follower {
  /** The stream is (again) connected, and events may have been missed: check everything. */
  connected(): Promise<void>;
  event(event: ContainerEvent): void;
}

/** What {@link followEvents} needs beside the follower. */
export interface FollowDeps {
  signal: AbortSignal;
  conditions: Pick<Conditions, 'set' | 'clear'>;
  /** first pause between two attempts, and the longest, ms; each doubles the one before */
  pauses?: { first: number; longest: number };
  /** ms between pings while the stream is silent; default 10 s */
  pingEvery?: number;
}

const ended = 'the Docker engine ended its event stream';
const lostCode = 'ENGINE_LOST';
const hangsCode = 'ENGINE_HANGS';
/** Our names of events by the engine's: Podman says `remove` for a destroyed container. */
const actions: ReadonlyMap<string | undefined, ContainerEvent['action']> = new Map([
  ['start', 'start'],
  ['die', 'die'],
  ['destroy', 'destroy'],
  ['remove', 'destroy'],
  ['rename', 'rename'],
]);
const networkActions = ['connect', 'disconnect'];
const filters = {
  type: ['container', 'network'],
  event: [...actions.keys(), ...networkActions].filter((name) => name !== undefined),
};

/**
 * Follows the engine's container events until `signal`, over engine restarts. The stream is opened before
 * `connected` lists, so that nothing falls between the two.
 */
export async function followEvents(
  client: Pick<EngineClient, 'events' | 'ping' | 'forgetVersion'>,
  follower: Follower,
  { signal, conditions, pauses = { first: 50, longest: 5_000 }, pingEvery = 10_000 }: FollowDeps,
): Promise<void> {
  let pause = pauses.first;
  // Reported once, with the first reason, however long it takes.
  let lost = false;
  const found = () => {
    pause = pauses.first;
    lost = false;
    conditions.clear(lostCode);
  };
  while (!signal.aborted) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener('abort', end);
    let reason: string = ended;
    try {
      const stream = await client.events(filters, attempt.signal);
      const alive = watchPulse(client, { signal: attempt.signal, conditions, pingEvery });
      await Promise.race([alive, Promise.all([follower.connected().then(found), read(stream, follower)])]);
    } catch (error) {
      reason = messageOf(error);
    } finally {
      signal.removeEventListener('abort', end);
      // Whatever failed: the stream goes with it.
      attempt.abort();
    }
    if (signal.aborted) return;
    if (!lost)
      conditions.set(
        lostCode,
        `${reason}; running containers keep their network, new ones wait for the engine`,
      );
    lost = true;
    client.forgetVersion();
    await delay(pause, undefined, { signal }).catch(() => {});
    pause = Math.min(pause * 2, pauses.longest);
  }
}

/** A silent stream may mean that the engine hangs or is gone. @throws WeaveError ENGINE_UNREACHABLE */
async function watchPulse(
  client: Pick<EngineClient, 'ping'>,
  { signal, conditions, pingEvery }: Required<Omit<FollowDeps, 'pauses'>>,
): Promise<void> {
  while (!signal.aborted) {
    await delay(pingEvery, undefined, { signal }).catch(() => {});
    try {
      if (!signal.aborted) await client.ping();
      conditions.clear(hangsCode);
    } catch (error) {
      if (!hasCode(error, 'ENGINE_TIMEOUT')) throw error;
      conditions.set(hangsCode, messageOf(error));
    }
  }
}

async function read(stream: NodeJS.ReadableStream, follower: Follower): Promise<void> {
  let rest = '';
  stream.setEncoding('utf8');
  try {
    for await (const text of stream) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = parse(line);
        if (event !== undefined) follower.event(event);
      }
    }
  } catch (cause) {
    throw new WeaveError('ENGINE_UNREACHABLE', ended, { cause });
  }
}

/** @returns undefined for a line that is no event of these */
function parse(line: string): ContainerEvent | undefined {
  // Type, Action and Actor only: `status`, `id` and `from` are gone since API 1.52.
  const { Type, Action, Actor } = fieldsOf(line);
  if (Type === 'network') {
    const id = networkActions.includes(Action ?? '') ? Actor?.Attributes?.container : undefined;
    return id === undefined ? undefined : { action: 'network', id };
  }
  const action = actions.get(Action);
  if (action === undefined || Actor?.ID === undefined) return undefined;
  const { name, oldName, exitCode } = Actor.Attributes ?? {};
  return {
    action,
    id: Actor.ID,
    ...(name !== undefined && { name }),
    // It begins with a slash, as paths of names did once.
    ...(oldName !== undefined && { oldName: oldName.replace(/^\//, '') }),
    ...(exitCode !== undefined && { exitCode }),
  };
}

interface EventFields {
  Type?: string;
  Action?: string;
  Actor?: { ID?: string; Attributes?: Record<string, string> };
}

function fieldsOf(line: string): EventFields {
  try {
    return JSON.parse(line) ?? {};
  } catch {
    return {};
  }
}
