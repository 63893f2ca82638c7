import assert from 'node:assert/strict';
import test from 'node:test';
import { execInContainer } from '../../../../src/proxy/calls/exec.ts';
import { fakeCall } from './fake-call.ts';

test('a command goes to the engine unchanged, once the container is attached', async () => {
  let attached = () => {};
  const asked: string[] = [];
  const handler = execInContainer({
    attached: (container) => {
      asked.push(container);
      return new Promise((resolve) => (attached = resolve));
    },
  });
  const call = fakeCall('POST', '/v1.41/containers/bbox1/exec', '{"Tty":true, "Cmd":["ip","a"],"X":1e3}');
  const answer = handler(call);
  await new Promise(setImmediate);
  assert.deepEqual([asked, call.forwarded], [['bbox1'], []]);
  attached();
  assert.equal((await answer).status, 201);
  assert.deepEqual(call.forwarded, [undefined]);
});
