import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { ContainerProcess, cgroupNames } from '../../../src/containers/container-process.ts';
import { setHostname } from '../../../src/containers/hostname.ts';
import { runOk } from '../../../src/lib/exec.ts';
import { until } from '../../support/until.ts';

const id = randomBytes(32).toString('hex');

test('a v1 or v2 cgroup of any driver identifies its container, and no other', () => {
  for (const line of [
    `0::/docker/${id}`,
    `12:pids:/docker/${id}`,
    `0::/system.slice/docker-${id}.scope`,
    `0::/../${id}/init.scope`,
    `0::/machine.slice/libpod-${id}.scope/container`,
  ]) {
    assert.ok(cgroupNames(`1:cpu:/\n${line}\n`, id), line);
    assert.ok(!cgroupNames(line, `${id.slice(0, -1)}${id.endsWith('f') ? '0' : 'f'}`), line);
    assert.ok(!cgroupNames(line, id.slice(1)), line);
  }
  assert.ok(!cgroupNames('0::/\n', ''));
  assert.ok(!cgroupNames('0::/user.slice\n', id));
});

type Child = ChildProcess & { pid: number };

async function inNetns(task: (child: Child) => Promise<void>, ...more: string[]): Promise<void> {
  const child = spawn('unshare', ['--net', ...more, 'sleep', '1000']);
  try {
    await until('it sleeps', () => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n');
    await task(child as Child);
  } finally {
    child.kill('SIGKILL');
  }
}

test("a process that is not provably the container's is refused, as is one in the host’s own network", async () => {
  assert.equal(ContainerProcess.open(process.pid, id), undefined);
  assert.equal(ContainerProcess.open(2 ** 22, id), undefined);
  await inNetns(async ({ pid }) => {
    assert.equal(ContainerProcess.open(pid, id), undefined);
    assert.ok(ContainerProcess.exists(pid));
  });
});

/** This process's descriptors of another's folder in /proc. */
function openOf(pid: number): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `/proc/${pid}`;
    } catch {
      return false;
    }
  });
}

/** A cgroup of the container's name, with this process in it. */
async function inCgroup(pid: number, task: () => Promise<void>): Promise<void> {
  // Of version 1 each controller has its tree; of version 2 there is one.
  const tree = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
  mkdirSync(`${tree}/${id}`);
  try {
    writeFileSync(`${tree}/${id}/cgroup.procs`, String(pid));
    await task();
  } finally {
    await until('its cgroup is empty', () => readFileSync(`${tree}/${id}/cgroup.procs`, 'utf8') === '');
    rmdirSync(`${tree}/${id}`);
  }
}

test('a held process is known to have ended even if its pid was reused; nothing stays open', async () => {
  await inNetns(async (child) => {
    await inCgroup(child.pid, async () => {
      const held = ContainerProcess.open(child.pid, id);
      assert.ok(held?.alive);
      assert.equal(openOf(child.pid).length, 1);
      child.kill('SIGKILL');
      await once(child, 'exit');
      assert.equal(held.alive, false);
      assert.throws(() => held.openNetns());
      held.close();
      held.close();
      assert.equal(held.alive, false);
      assert.deepEqual(openOf(child.pid), []);
    });
  });
});

test('a hostname is set in the namespace of the process that is held, and never on the host', async () => {
  const hostnameOf = async (pid: number) =>
    (await runOk(['nsenter', '-t', `${pid}`, '-u', 'hostname'])).trim();
  const before = hostname();
  await inNetns(async (child) => {
    await inCgroup(child.pid, async () => {
      const held = ContainerProcess.open(child.pid, id) ?? assert.fail();
      await setHostname(held, 'web.weave.local');
      assert.equal(await hostnameOf(child.pid), 'web.weave.local');
      child.kill('SIGKILL');
      await once(child, 'exit');
      await assert.rejects(setHostname(held, 'other.weave.local'));
      held.close();
    });
  }, '--uts');
  await inNetns(async (child) => {
    await inCgroup(child.pid, async () => {
      const held = ContainerProcess.open(child.pid, id) ?? assert.fail();
      await setHostname(held, 'host.weave.local');
      held.close();
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
  });
  assert.equal(hostname(), before);
});
