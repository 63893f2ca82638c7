import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { runOk } from '../../../src/lib/exec.ts';
import { NetnsWorker } from '../../../src/net/netns-worker.ts';
import { until } from '../../support/until.ts';
import { BuiltShims } from '../shim/built.ts';

let program = '';
before(async (context) => {
  const built = await BuiltShims.create();
  program = built.netnsWorker;
  (context as TestContext).after(() => built[Symbol.asyncDispose]());
});

function workerOf(t: TestContext, ...options: ConstructorParameters<typeof NetnsWorker>): NetnsWorker {
  const worker = new NetnsWorker(...options);
  t.after(async () => {
    worker.close();
    // The next test counts processes and descriptors.
    await until('it has ended', () => workers().length === 0);
  });
  return worker;
}

/** Their processes, of this one's children. */
function workers(): number[] {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim();
  const pids = children === '' ? [] : children.split(' ').map(Number);
  return pids.filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'netns-worker\n');
}

const mac = '02:11:22:aa:bb:cc';

/** A network namespace with a veth `ethwe`, and its end. */
async function namespace(t: TestContext) {
  const child = spawn('unshare', ['--net', 'sleep', '1000']);
  t.after(() => child.kill('SIGKILL'));
  await until('it sleeps', () => readFileSync(`/proc/${child.pid}/comm`, 'utf8') === 'sleep\n');
  const path = `/proc/${child.pid}/ns/net`;
  const inside = (argv: string[], input?: string) =>
    runOk(['nsenter', `--net=${path}`, '--', ...argv], input === undefined ? {} : { input });
  await inside([
    'ip',
    'link',
    'add',
    'ethwe',
    'index',
    '65536',
    'address',
    mac,
    'type',
    'veth',
    'peer',
    'name',
    'other',
  ]);
  await inside(['ip', 'link', 'set', 'other', 'up']);
  return { openNetns: () => openSync(path, 'r'), inside, path, pid: child.pid ?? 0 };
}

test('links, addresses, neighbours and routes become what ip makes of them, also a second time', async (t) => {
  const worker = workerOf(t, program);
  const [ours, theirs] = [await namespace(t), await namespace(t)];
  const cidrs = ['10.32.0.5/12', '10.40.0.1/24', '10.50.0.6/31', '10.60.0.7/32', '192.168.3.3/30'];
  // Theirs has it from the beginning.
  await ours.inside(['ip', 'link', 'set', 'ethwe', 'address', '02:11:22:aa:bb:01']);
  const lines = [
    'quiet ethwe',
    'up ethwe',
    ...cidrs.map((cidr) => `addr ethwe ${cidr}`),
    `mac ethwe ${mac}`,
    'neigh ethwe 169.254.77.53 02:00:00:00:00:01',
    'route ethwe 169.254.77.53/32',
    'route ethwe 224.0.0.0/4',
  ];
  await worker.run(ours, lines);
  await worker.run(ours, lines);
  const batch = [
    'link set ethwe addrgenmode none',
    'link set ethwe up',
    ...cidrs.map((cidr) => `addr replace ${cidr} broadcast + dev ethwe`),
    'neigh replace 169.254.77.53 lladdr 02:00:00:00:00:01 dev ethwe nud permanent',
    'route replace 169.254.77.53 dev ethwe scope link',
    'route replace 224.0.0.0/4 dev ethwe scope link',
  ];
  await theirs.inside(['ip', '-batch', '-'], `${batch.join('\n')}\n`);
  for (const query of ['-d addr show ethwe', '-d route show table all', 'neigh show']) {
    const argv = ['ip', ...query.split(' ')];
    const wanted = await theirs.inside(argv);
    assert.notEqual(wanted, '', query);
    assert.equal(await ours.inside(argv), wanted, query);
  }
});

test('settings are those of the namespace, and one that the kernel has not is left out', async (t) => {
  const worker = workerOf(t, program);
  const there = await namespace(t);
  await worker.run(there, [
    'sysctl ipv6/conf/ethwe/accept_ra 0',
    'sysctl ipv4/no/such 1',
    'conf ethwe arp_notify 1 promote_secondaries 1',
    'probes ethwe ucast_probes 1 base_reachable_ms 5000 delay_probe_ms 2000',
    'up ethwe',
  ]);
  const settings = {
    'ipv6/conf/ethwe/accept_ra': '0',
    'ipv4/conf/ethwe/arp_notify': '1',
    'ipv4/conf/ethwe/promote_secondaries': '1',
    'ipv4/neigh/ethwe/ucast_solicit': '1',
    'ipv4/neigh/ethwe/base_reachable_time_ms': '5000',
    'ipv4/neigh/ethwe/delay_first_probe_time': '2',
  };
  for (const [setting, value] of Object.entries(settings))
    assert.equal(await there.inside(['cat', `/proc/sys/net/${setting}`]), `${value}\n`, setting);
  assert.match(await there.inside(['ip', 'link', 'show', 'ethwe']), /[<,]UP[,>]/);
  assert.ok(!existsSync('/proc/sys/net/ipv4/conf/ethwe'));
});

test('an address is announced to those who knew it, and to the host, and to nobody else', async (t) => {
  const [host, there, other] = [await namespace(t), await namespace(t), await namespace(t)];
  const folder = await mkdtemp(join(tmpdir(), 'announce-'));
  t.after(() => rm(folder, { recursive: true }));
  const inHost = join(folder, 'netns-worker');
  await writeFile(inHost, `#!/bin/sh\nexec nsenter --net=${host.path} ${program}\n`, { mode: 0o755 });
  const worker = workerOf(t, inHost);
  await host.inside(['ip', 'link', 'add', 'weave0', 'type', 'bridge']);
  await host.inside(['ip', 'link', 'set', 'weave0', 'up']);
  await host.inside(['ip', 'addr', 'add', '10.32.0.254/12', 'dev', 'weave0']);
  for (const { pid } of [there, other]) {
    const [port, inside] = [`p${pid}`, ['peer', 'name', 'net', 'netns', String(pid)]];
    await host.inside(['ip', 'link', 'add', port, 'type', 'veth', ...inside]);
    await host.inside(['ip', 'link', 'set', port, 'master', 'weave0', 'up']);
  }
  await other.inside(['ip', 'link', 'set', 'net', 'up']);
  await other.inside(['ip', 'addr', 'add', '10.32.0.2/12', 'dev', 'net']);
  const port = `/sys/class/net/p${other.pid}/operstate`;
  const mounted = ['unshare', '--mount', 'sh', '-c', `mount -t sysfs sysfs /sys; cat ${port}`];
  await until('its port is open', async () => (await host.inside(mounted)) === 'up\n');
  const former = ['lladdr', '02:00:00:00:00:99', 'nud', 'stale', 'dev'];
  await other.inside(['ip', 'neigh', 'add', '10.32.0.9', ...former, 'net']);
  await host.inside(['ip', 'neigh', 'add', '10.32.0.9', ...former, 'weave0']);
  await worker.run(there, [`announce weave0 ${mac} 10.32.0.9`, `announce weave0 ${mac} 10.32.0.10`]);
  await worker.run(there, [`announce nobridge ${mac} 10.32.0.9`]);
  const known = `10.32.0.9 lladdr ${mac} STALE`;
  await until('the other knows', async () =>
    (await other.inside(['ip', 'neigh', 'show', 'dev', 'net'])).includes(mac),
  );
  assert.equal((await other.inside(['ip', 'neigh', 'show', 'dev', 'net'])).trim(), known);
  assert.equal((await host.inside(['ip', 'neigh', 'show', 'dev', 'weave0'])).trim(), known);
});

test('rules are restored, and the program says in its own words what it refuses', async (t) => {
  const worker = workerOf(t, program);
  const there = await namespace(t);
  // More than fits a pipe at once.
  const many = Array.from({ length: 1_500 }, (_, i) => `-A X -s 10.${i >> 8}.${i & 255}.0/24 -j RETURN`);
  await worker.run(there, ['restore', '*filter', ':X - [0:0]', ...many, '-A X -j DROP', 'COMMIT']);
  const rules = (await there.inside(['iptables', '-S', 'X'])).trim().split('\n');
  assert.deepEqual(rules, ['-N X', ...many, '-A X -j DROP']);
  await assert.rejects(worker.run(there, ['restore', '*filter', '-A NOX -j DROP', 'COMMIT']), {
    code: 'TOOL_FAILED',
    message: /iptables-restore.*line 2 failed/,
  });
});

test('the first line that fails ends a request, and says why; a line of more than one is refused', async (t) => {
  const worker = workerOf(t, program);
  const there = await namespace(t);
  const fails = (lines: string[], message: RegExp) =>
    assert.rejects(worker.run(there, lines), { code: 'TOOL_FAILED', message });
  await fails(['up nolink', 'up ethwe'], /up nolink: no such device/);
  for (const line of [
    'addr ethwe 10.1.2/8',
    'addr ethwe 10.1.2.3',
    'addr ethwe 10.1.2.3/33',
    'addr ethwe 10.1.2.256/8',
  ])
    await fails([line], new RegExp(`${line}: invalid argument`));
  for (const line of [
    `mac ethwe ${mac}:00`,
    'mac ethwe 02:11',
    'mac ethwe',
    `announce weave ${mac}:00 10.1.2.3`,
    'announce weave 02:11 10.1.2.3',
    `announce weave ${mac} 10.1.2.3/8`,
    'announce weave',
    'route ethwe',
    'become ethwe root',
    'conf ethwe arp_notify',
    'conf ethwe forwarding 1',
    'probes ethwe ucast_probes 1x',
    `probes ethwe ${'ucast_probes 1 '.repeat(12).trim()}`,
  ])
    await fails([line], new RegExp(`${line}: invalid argument`));
  await fails(['up ethwe\nup other'], /not a line/);
  await fails(['up ethwe', ''], /not a line/);
  assert.doesNotMatch(await there.inside(['ip', 'link', 'show', 'ethwe']), /[<,]UP[,>]/);
  const gone = { openNetns: () => openSync('/dev/null', 'r') };
  await assert.rejects(worker.run(gone, ['up ethwe']), { message: /invalid argument/ });
});

function processOf(): number {
  const [pid, ...others] = workers();
  assert.equal(others.length, 0);
  return pid ?? Number.NaN;
}

test('a thousand at once are answered each, and leave no descriptor and no process', async (t) => {
  const worker = workerOf(t, program);
  const there = await namespace(t);
  await worker.run(there, ['sysctl ipv4/no/such 1']);
  const descriptors = readdirSync('/proc/self/fd').length;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 1_000 }, (_, i) => worker.run(there, [i % 10 === 9 ? `up no${i}` : 'up ethwe'])),
  );
  const failed = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [String(outcome.reason)] : [],
  );
  assert.equal(failed.length, 100);
  for (let i = 9; i < 1_000; i += 10)
    assert.ok(
      failed.some((text) => text.includes(`up no${i}:`)),
      `${i}`,
    );
  assert.equal(readdirSync('/proc/self/fd').length, descriptors);
  const pid = processOf();
  assert.equal(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'), '');
});

test('one that is killed fails what it had begun; the next request has another', async (t) => {
  const worker = workerOf(t, program);
  const there = await namespace(t);
  await worker.run(there, ['up ethwe']);
  const pid = processOf();
  process.kill(pid, 'SIGSTOP');
  const begun = assert.rejects(worker.run(there, ['up ethwe']), { code: 'TOOL_FAILED', message: /SIGKILL/ });
  process.kill(pid, 'SIGKILL');
  await begun;
  await worker.run(there, ['up ethwe']);
  assert.notEqual(processOf(), pid);
});

test('one that does not answer in time is killed, one that is not there is named', async (t) => {
  const there = await namespace(t);
  const hangs = workerOf(t, program, 5_000);
  const first = hangs.run(there, ['up ethwe']);
  process.kill(processOf(), 'SIGSTOP');
  await assert.rejects(
    first.then(() => hangs.run(there, ['up ethwe'])),
    { code: 'TOOL_FAILED', message: /netns-worker .* did not end within 5 s/ },
  );
  await hangs.run(there, ['up ethwe']);
  await assert.rejects(workerOf(t, '/no/such/worker').run(there, ['up ethwe']), {
    message: /\/no\/such\/worker/,
  });
});

test('it ends when the daemon does, and so does what it runs', async (t) => {
  const child: ChildProcess = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  child.stdin?.end('1 /proc/self/ns/net\nsysctl ipv4/no/such 1\n\n');
  assert.deepEqual(await closed, [0, null]);
});
