import assert from 'node:assert/strict';
import test from 'node:test';
import { pino } from 'pino';
import { Conditions } from '../../../src/model/conditions.ts';

function make() {
  const logged: string[] = [];
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => void logged.push(line) });
  const lines = () => logged.splice(0).map((line) => JSON.parse(line) as Record<string, unknown>);
  return { conditions: new Conditions({ logger }), lines };
}

test('a condition is logged once when it appears and once when it goes', () => {
  const { conditions, lines } = make();
  conditions.set('DISK', 'the disk is full; make room');
  conditions.set('DISK', 'the disk is full; make room');
  assert.deepEqual(lines(), [{ level: 40, condition: 'DISK', msg: 'the disk is full; make room' }]);
  conditions.clear('DISK');
  conditions.clear('DISK');
  assert.deepEqual(lines(), [
    { level: 30, condition: 'DISK', msg: 'no longer: the disk is full; make room' },
  ]);
  assert.deepEqual(conditions.list(), []);
});

test('a new text is logged and shown; since stays', () => {
  const { conditions, lines } = make();
  conditions.set('DISK', 'the disk is nearly full');
  const [first] = conditions.list();
  conditions.update('DISK', 'the disk is full');
  assert.deepEqual(conditions.list(), [{ ...first, text: 'the disk is full' }]);
  assert.equal(lines().length, 2);
  conditions.update('DISK', undefined);
  assert.deepEqual(conditions.list(), []);
});

test('a code can hold for several subjects at once', () => {
  const { conditions } = make();
  conditions.set('NO_DNS', 'a can ask nobody', 'a');
  conditions.set('NO_DNS', 'b can ask nobody', 'b');
  conditions.clear('NO_DNS', 'a');
  assert.deepEqual(
    conditions.list().map(({ about }) => about),
    ['b'],
  );
});

test('a repair is logged once, is no condition, and is shown until it fails again', () => {
  const { conditions, lines } = make();
  conditions.set('LINK', 'the link is down');
  conditions.healed('LINK', 'the link was down');
  conditions.healed('LINK', 'the link was down');
  assert.deepEqual(
    lines().map(({ msg, healed }) => [msg, healed]),
    [
      ['the link is down', undefined],
      ['no longer: the link is down', undefined],
      ['the link was down', true],
    ],
  );
  assert.deepEqual(conditions.list(), []);
  conditions.clear('LINK');
  assert.deepEqual(
    conditions.listHealed().map(({ text }) => text),
    ['the link was down'],
  );
  conditions.set('LINK', 'the link is down');
  assert.deepEqual(conditions.listHealed(), []);
});
