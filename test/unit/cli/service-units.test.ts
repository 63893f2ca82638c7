import assert from 'node:assert/strict';
import test from 'node:test';
import { serviceUnit } from '../../../src/cli/service/service-units.ts';

const program = { node: '/usr/bin/node', weavets: '/opt/weavets' };

test('the pause between restarts grows where systemd can do it; an older one would warn of the setting', () => {
  for (const [systemd, grows] of [
    [undefined, false],
    [252, false],
    [254, true],
  ] as const)
    assert.equal(/^RestartSteps=\d+\nRestartMaxDelaySec=\d+$/m.test(serviceUnit(program, systemd)), grows);
});
