import assert from 'node:assert/strict';
import test from 'node:test';
import { commandError, type EngineVersions } from '../../../src/docker/command-error.ts';
import { parseFinding, type ShimFinding } from '../../../src/model/shim.ts';

const engines: Record<string, EngineVersions> = {
  '28.5': { engine: '28.5.2+dfsg4', runtime: '1.3.6+ds1' },
  '26.1': { engine: '26.1.5+dfsg1', runtime: '1.1.15+ds1' },
  '20.10': { engine: '20.10.24+dfsg1', runtime: '1.1.5+ds1' },
};
const runc = 'OCI runtime create failed: runc create failed: unable to start container process: ';
const before: Record<string, string> = {
  '28.5': `failed to create task for container: failed to create shim task: ${runc}error during container init: `,
  '26.1': `failed to create task for container: failed to create shim task: ${runc}`,
  '20.10': `failed to create shim task: ${runc}`,
};

function told(engine: string, name: string, command: string) {
  const error = commandError(parseFinding(name) as ShimFinding, command, engines[engine] as EngineVersions);
  assert.ok(error.message.startsWith(before[engine] ?? '?'), error.message);
  return [error.message.slice(before[engine]?.length), error.exitCode, error.status];
}

test('each engine’s own words, as without a proxy', () => {
  assert.deepEqual(told('28.5', 'w:p0', 'a"b'), [
    'exec: "a\\"b": executable file not found in $PATH',
    127,
    400,
  ]);
  assert.deepEqual(told('26.1', 'w:p0', 'no'), [
    'exec: "no": executable file not found in $PATH: unknown',
    127,
    400,
  ]);
  const loop = 'exec: "/l": stat /l: too many levels of symbolic links';
  assert.deepEqual(told('28.5', 'w:s40', '/l'), [loop, 128, 500]);
  assert.deepEqual(told('20.10', 'w:s40', '/l'), [`${loop}: unknown`, 128, 500]);
  assert.deepEqual(told('28.5', 'w:d21', '/etc'), [
    'exec: "/etc": is a directory: permission denied',
    126,
    400,
  ]);
  assert.deepEqual(told('26.1', 'w:d21', '/etc'), [
    'exec: "/etc": is a directory: unknown: permission denied',
    126,
    400,
  ]);
  assert.deepEqual(told('20.10', 'w:d21', '/etc'), ['exec: "/etc": permission denied: unknown', 126, 400]);
  assert.deepEqual(told('28.5', 'w:a13', '/x'), ['exec: "/x": permission denied', 126, 400]);
  const [notDirectory] = told('20.10', 'w:s20', '/f/x');
  assert.match(
    String(notDirectory),
    /^exec: "\/f\/x": stat \/f\/x: not a directory: unknown: Are you trying to mount a directory onto a file /,
  );
});

test('what the shim reports in its process name', () => {
  assert.equal(parseFinding('w:ok'), 'runnable');
  assert.deepEqual(parseFinding('w:s2'), { kind: 'stat', errno: 2 });
  for (const name of ['w', 'w:', 'w:x2', 'w:s', 'sh', 'w:s2x']) assert.equal(parseFinding(name), undefined);
});
