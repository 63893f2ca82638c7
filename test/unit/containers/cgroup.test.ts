import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroupNames } from '../../../src/containers/container-process.ts';

const id = '0123456789abcdef'.repeat(4);

test("a container's control group is told from others, as Docker and Podman name it", () => {
  for (const path of [
    `/docker/${id}`,
    `/system.slice/docker-${id}.scope`,
    `/machine.slice/libpod-${id}.scope/container`,
    `/libpod_parent/libpod-${id}`,
  ])
    assert.ok(cgroupNames(`12:pids:/\n0::${path}\n`, id), path);
  for (const path of ['/', `/docker/${id}0`, `/docker/${'f'.repeat(64)}`, '/libpod_parent/conmon'])
    assert.ok(!cgroupNames(`0::${path}\n`, id), path);
});
