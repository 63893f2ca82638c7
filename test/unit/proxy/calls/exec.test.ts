import assert from 'node:assert/strict';
import test from 'node:test';
import { execInContainer } from '../../../../src/proxy/calls/exec.ts';
import { fakeCall, sent } from './fake-call.ts';

async function exec(body: string, shimmed = true) {
  const asked: string[] = [];
  const handler = execInContainer({
    shimmed: async (container) => {
      asked.push(container);
      return shimmed;
    },
  });
  const call = fakeCall('POST', '/v1.41/containers/bbox1/exec', body);
  assert.equal((await handler(call)).status, 201);
  return { call, asked };
}

test('a command waits for the network', async () => {
  const { call, asked } = await exec('{"Tty":true, "Cmd":["ip","a"],"X":1e3}');
  assert.equal(sent(call), '{"Tty":true, "Cmd":["/w/w","ip","a"],"X":1e3}');
  assert.deepEqual(asked, ['bbox1']);
});

test('every spelling that the engine takes', async () => {
  assert.equal(sent((await exec('{"cmd":["a"],"CMD":["b"]}')).call), '{"CMD":["/w/w","b"]}');
  assert.equal(sent((await exec('{"Cmd":["/w/w","a"]}')).call), '{"Cmd":["/w/w","a"]}');
  assert.equal(sent((await exec('{"Cmd":[""]}')).call), '{"Cmd":["/w/w",""]}');
});

test('without the shim nothing changes', async () => {
  assert.deepEqual((await exec('{"Cmd":["ip","a"]}', false)).call.forwarded, [undefined]);
});

test('what the engine refuses goes to it as it is', async () => {
  for (const body of ['', 'null', '{', '{}', '{"Cmd":null}', '{"Cmd":[]}', '{"Cmd":"ls"}', '{"Cmd":[1]}'])
    assert.deepEqual((await exec(body)).call.forwarded, [undefined], body);
});
