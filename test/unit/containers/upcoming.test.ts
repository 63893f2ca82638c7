import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reconciler } from '../../../src/containers/reconciler.ts';
import type { ContainerInfo } from '../../../src/docker/types.ts';
import { reconcilerWith } from '../../support/reconciler.ts';

const id = 'a'.repeat(64);

/** A reconciler, and what its engine was asked; `fails` of the answers, from the first on, are errors. */
function asked({ fails = 0 } = {}) {
  const questions: string[] = [];
  const reconciler = reconcilerWith({
    engine: {
      list: async () => [],
      remove: async () => {},
      inspect: async (idOrName) => {
        questions.push(idOrName);
        if (questions.length <= fails) throw new Error('the engine is away');
        // Not ours, so that nothing but the question is made.
        return { id, name: 'c1', networkMode: 'host', env: [], shim: undefined } as unknown as ContainerInfo;
      },
    },
  });
  return { reconciler, questions };
}

/** The container was created, and what is asked then is asked. */
async function expectAsked(reconciler: Reconciler): Promise<void> {
  reconciler.upcoming.expect(id);
  await new Promise(setImmediate);
}

test('a start that follows its create finds the engine asked already, once', async () => {
  const { reconciler, questions } = asked();
  reconciler.upcoming.expect(id);
  assert.equal(await reconciler.begin(id), undefined);
  assert.deepEqual(questions, [id]);
  // It may have changed since.
  await reconciler.begin(id);
  assert.deepEqual(questions, [id, id]);
  reconciler.close();
});

test('a container that was renamed, connected or removed since its create is asked for again', async () => {
  for (const action of ['rename', 'network', 'destroy'] as const) {
    const { reconciler, questions } = asked();
    await expectAsked(reconciler);
    reconciler.noticed({ action, id });
    await reconciler.settled(id);
    const before = questions.length;
    await reconciler.begin(id);
    assert.equal(questions.length, before + 1, action);
    reconciler.close();
  }
});

test('by its name, which may be another container now, the engine is asked', async () => {
  const { reconciler, questions } = asked();
  await expectAsked(reconciler);
  await reconciler.begin('c1');
  assert.deepEqual(questions, [id, 'c1']);
  reconciler.close();
});

test('what could not be asked early is asked at the start', async () => {
  const { reconciler, questions } = asked({ fails: 1 });
  reconciler.upcoming.expect(id);
  await reconciler.begin(id);
  assert.deepEqual(questions, [id, id]);
  reconciler.close();
});

test('what was asked is forgotten when no start follows', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { reconciler, questions } = asked();
  await expectAsked(reconciler);
  mock.timers.tick(1_000);
  await reconciler.begin(id);
  assert.deepEqual(questions, [id, id]);
  reconciler.close();
});
