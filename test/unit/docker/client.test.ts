import assert from 'node:assert/strict';
import test from 'node:test';
import { EngineClient } from '../../../src/docker/client.ts';
import { until } from '../../support/host.ts';
import { FakeEngine, inspectAnswer } from './fake-engine.ts';

const limits = { read: 1_000, change: 1_000 };
const late = { code: 'ENGINE_TIMEOUT', message: /did not answer within 1 s/ };

test("64 containers that hang the engine don't delay queries about another", async () => {
  await using engine = await FakeEngine.start((request, response) => {
    if (!request.url?.includes('/containers/hung')) response.end(inspectAnswer('good'));
  });
  const client = new EngineClient({ url: engine.url, tls: null });
  const hung = Array.from({ length: 64 }, (_, index) => client.inspect(`hung${index}`));
  const ended = Promise.allSettled(hung);
  await until('all of them hang', () => engine.open >= 64);
  assert.equal((await client.inspect('good'))?.id, 'good');
  await client.close();
  await ended;
});

test('an engine that accepts calls but never answers: each of our calls ends', async () => {
  await using engine = await FakeEngine.start(() => {});
  const client = new EngineClient({ url: engine.url, tls: null }, limits);
  try {
    await Promise.all([
      assert.rejects(client.inspect('c'), late),
      assert.rejects(client.imageInspect('busybox'), late),
      assert.rejects(client.list({ all: true }), late),
      assert.rejects(client.kill('c'), late),
      assert.rejects(client.remove('c'), late),
      assert.rejects(client.events({}, new AbortController().signal), late),
    ]);
  } finally {
    await client.close();
  }
});

test('an answer that stops midway is given up too', async () => {
  await using engine = await FakeEngine.start((_, response) => response.write('{'));
  const client = new EngineClient({ url: engine.url, tls: null }, limits);
  try {
    await Promise.all([
      assert.rejects(client.inspect('c'), late),
      assert.rejects(client.list({ all: true }), late),
    ]);
  } finally {
    await client.close();
  }
});

test('a container that Podman is just removing counts as absent', async () => {
  await using engine = await FakeEngine.start((_, response) => {
    response.statusCode = 500;
    response.end('{"cause":"no such container","message":"no container with ID c found","response":500}\n');
  });
  const client = new EngineClient({ url: engine.url, tls: null });
  assert.equal(await client.inspect('c'), undefined);
  await client.close();
});
