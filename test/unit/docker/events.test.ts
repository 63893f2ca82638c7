import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import test from 'node:test';
import { EngineClient } from '../../../src/docker/client.ts';
import { type ContainerEvent, followEvents } from '../../../src/docker/events.ts';
import { WeaveError } from '../../../src/lib/errors.ts';
import { type Logger, silent } from '../../../src/lib/log.ts';
import { Conditions } from '../../../src/model/conditions.ts';
import { until } from '../../support/host.ts';
import { FakeEngine } from './fake-engine.ts';

const pauses = { first: 1, longest: 4 };

/** Follows an engine until `done`. */
async function follow(
  engine: FakeEngine,
  {
    connected = async () => {},
    done,
    conditions = new Conditions({ logger: silent }),
    pingEvery,
    deadline = 60_000,
  }: Following,
): Promise<ContainerEvent[]> {
  const client = new EngineClient({ url: engine.url, tls: null }, { read: deadline, change: deadline });
  const ending = new AbortController();
  const events: ContainerEvent[] = [];
  const follower = { connected, event: (event: ContainerEvent) => void events.push(event) };
  const deps = { signal: ending.signal, conditions, pauses, pingEvery };
  const following = followEvents(client, follower, deps);
  await until('it has seen enough', () => done(events));
  ending.abort();
  await following;
  await client.close();
  return events;
}

interface Following {
  connected?: () => Promise<void>;
  done: (events: ContainerEvent[]) => boolean;
  conditions?: Conditions;
  pingEvery?: number;
  /** of each call, ms */
  deadline?: number;
}

test('listing fails 50 times after connecting: no event stream stays open', async () => {
  let streams = 0;
  let most = 0;
  await using engine = await FakeEngine.start((_, response) => {
    streams++;
    response.on('close', () => streams--);
    most = Math.max(most, streams);
    response.flushHeaders();
  });
  let attempts = 0;
  const connected = async () => {
    if (++attempts <= 50) throw new WeaveError('ENGINE_ERROR', 'no list today');
  };
  await follow(engine, { connected, done: () => attempts > 50 });
  assert.ok(most <= 3, `${most} at once`);
  await until('the last one is closed', () => streams === 0);
});

test('losing the engine is reported once, with the first reason, until it is back', async () => {
  await using engine = await FakeEngine.start((_, response) => response.flushHeaders());
  const logged: string[] = [];
  const log = (_: unknown, text: string) => void logged.push(text);
  const conditions = new Conditions({ logger: { warn: log, info: log } as unknown as Logger });
  let attempts = 0;
  const connected = async () => {
    if (++attempts <= 20) throw new WeaveError('ENGINE_ERROR', `no list today, the ${attempts}th time`);
  };
  await follow(engine, {
    connected,
    conditions,
    done: () => attempts > 20 && conditions.list().length === 0,
  });
  assert.match(logged[0] ?? '', /^no list today, the 1th time; running containers keep their network/);
  assert.equal(logged.length, 2);
});

test('an engine that hangs while its stream stays open is a condition, until it answers', async () => {
  let hangs = true;
  await using engine = await FakeEngine.start(
    (_, response) => response.flushHeaders(),
    (response) => hangs || response.end('OK'),
  );
  const conditions = new Conditions({ logger: silent });
  let seen = '';
  await follow(engine, {
    conditions,
    pingEvery: 1,
    deadline: 200,
    done: () => {
      const [condition] = conditions.list();
      seen ||= condition?.text ?? '';
      if (condition?.code === 'ENGINE_HANGS') hangs = false;
      return seen !== '' && condition === undefined;
    },
  });
  assert.match(seen, /did not answer within/);
});

test('events are read however packets are cut; anything else is skipped', async () => {
  const id = 'c'.repeat(64);
  const answers: ServerResponse[] = [];
  await using engine = await FakeEngine.start((_, response) => {
    response.flushHeaders();
    answers.push(response);
  });
  const start = JSON.stringify({ Type: 'container', Action: 'start', Actor: { ID: id } });
  const connected = async () => {
    const [answer] = answers;
    answer?.write(`${start.slice(0, 20)}`);
    setTimeout(
      () =>
        answer?.write(
          `${start.slice(20)}\n\n{"Action":\nnull\n[]\n{"Action":"start"}\n{"Action":"exec_create","Actor":{"ID":"x"}}\n${start}\n`,
        ),
      20,
    );
  };
  const events = await follow(engine, { connected, done: (seen) => seen.length >= 2 });
  assert.deepEqual(events, [
    { action: 'start', id },
    { action: 'start', id },
  ]);
});

test('Docker and Podman name the removal of a container differently', async () => {
  const id = 'c'.repeat(64);
  await using engine = await FakeEngine.start((_, response) => {
    for (const Action of ['destroy', 'remove'])
      response.write(`${JSON.stringify({ Type: 'container', Action, Actor: { ID: id } })}\n`);
  });
  const events = await follow(engine, { done: (seen) => seen.length >= 2 });
  assert.deepEqual(events, [
    { action: 'destroy', id },
    { action: 'destroy', id },
  ]);
});

test('reconnects to an engine that breaks off in the middle of its stream', async () => {
  let streams = 0;
  await using engine = await FakeEngine.start((_, response) => {
    response.flushHeaders();
    // As when dockerd is killed: no last chunk.
    if (++streams < 4) setTimeout(() => response.socket?.destroy(), 5);
  });
  await follow(engine, { connected: async () => {}, done: () => streams >= 4 });
});
