import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import test from 'node:test';
import { EngineClient } from '../../../src/docker/client.ts';
import { type ContainerEvent, followEvents } from '../../../src/docker/events.ts';
import { WeaveError } from '../../../src/lib/errors.ts';
import { silent } from '../../../src/lib/log.ts';
import { until } from '../../support/host.ts';
import { FakeEngine } from './fake-engine.ts';

const pauses = { first: 1, longest: 4 };

/** Follows an engine until `done`. */
async function follow(
  engine: FakeEngine,
  {
    connected,
    done,
    logger = silent,
  }: { connected: () => Promise<void>; done: (events: ContainerEvent[]) => boolean; logger?: typeof silent },
): Promise<ContainerEvent[]> {
  const client = new EngineClient({ url: engine.url, tls: null });
  const ending = new AbortController();
  const events: ContainerEvent[] = [];
  const follower = { connected, event: (event: ContainerEvent) => void events.push(event) };
  const following = followEvents(client, follower, { signal: ending.signal, logger, pauses });
  await until('it has seen enough', () => done(events));
  ending.abort();
  await following;
  await client.close();
  return events;
}

test('the list after connecting fails 50 times: no event stream stays open', async () => {
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

test('the pause grows from one failure to the next, and one line says that the engine is lost', async () => {
  await using engine = await FakeEngine.start((_, response) => response.flushHeaders());
  const logged: [string, string][] = [];
  const log = (level: string) => (_: unknown, text?: string) => void logged.push([level, text ?? String(_)]);
  const logger = { warn: log('warn'), info: log('info'), debug: log('debug') } as unknown as typeof silent;
  let attempts = 0;
  const connected = async () => {
    if (++attempts <= 20) throw new WeaveError('ENGINE_ERROR', 'no list today');
  };
  await follow(engine, { connected, done: () => attempts > 20, logger });
  assert.equal(logged.filter(([level]) => level === 'warn').length, 1);
  assert.deepEqual(
    logged.filter(([level]) => level === 'info'),
    [['info', 'the engine is back']],
  );
});

test('events are read whatever their packets; what is no event is passed over', async () => {
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

test('an engine that breaks off in the middle of its stream is connected to again', async () => {
  let streams = 0;
  await using engine = await FakeEngine.start((_, response) => {
    response.flushHeaders();
    // As when dockerd is killed: no last chunk.
    if (++streams < 4) setTimeout(() => response.socket?.destroy(), 5);
  });
  await follow(engine, { connected: async () => {}, done: () => streams >= 4 });
});
