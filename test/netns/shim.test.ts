import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { runOk } from '../../src/lib/exec.ts';
import type { ShimMode } from '../../src/model/shim.ts';
import { until } from '../support/host.ts';
import { BuiltShims } from '../unit/shim/built.ts';

let shims: BuiltShims;
before(async () => {
  shims = await BuiltShims.create();
});
after(() => shims[Symbol.asyncDispose]());

/** A started shim, or what it became. */
class Started {
  readonly #process: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>;
  stderr = '';

  constructor(process: ChildProcess) {
    this.#process = process;
    let stdout = '';
    process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      process.once('close', (code, signal) => resolve({ code, signal, stdout, stderr: this.stderr }));
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
  }

  /** Until the kernel holds no event for it any more and it sleeps: so it has seen all, and decided to wait. */
  async asleep(pid = this.pid): Promise<void> {
    const ppoll = process.arch === 'x64' ? '271 ' : '73 ';
    await until('the shim has seen all and waits', async () => {
      if (this.#process.exitCode !== null) throw new Error(`it did not wait: ${this.stderr}`);
      const queued = (await netlinkSocket(pid))?.queued;
      return queued === 0 && (await readFile(`/proc/${pid}/syscall`, 'utf8')).startsWith(ppoll);
    });
  }
}

/** The socket by which a process hears of links, addresses and routes. */
async function netlinkSocket(pid: number): Promise<{ queued: number; drops: number } | undefined> {
  for (const line of (await readFile(`/proc/${pid}/net/netlink`, 'utf8')).split('\n')) {
    const [, protocol, , groups, queued, , , , drops] = line.trim().split(/\s+/);
    if (protocol === '0' && groups === '00000051') return { queued: Number(queued), drops: Number(drops) };
  }
  return undefined;
}

/** A network namespace with a device of the name `other`, and neither ethwe nor anything else. */
class Namespace implements AsyncDisposable {
  readonly name = `wvs-${randomBytes(3).toString('hex')}`;
  readonly #started: Started[] = [];

  static async create(): Promise<Namespace> {
    const namespace = new Namespace();
    await runOk(['ip', 'netns', 'add', namespace.name]);
    await namespace.ip('link add other type veth peer name other-peer');
    await namespace.ip('link set lo up', 'link set other up', 'link set other-peer up');
    return namespace;
  }

  /** Runs lines of `ip`, as one batch. */
  ip(...lines: string[]): Promise<string> {
    return runOk(['ip', '-n', this.name, '-batch', '-'], { input: lines.join('\n') });
  }

  /** Everything that mode multicast waits for. */
  complete(): Promise<string> {
    return this.ip(
      'link add ethwe type veth peer name peer',
      'link set peer up',
      'address add 10.32.0.1/12 dev ethwe',
      'link set ethwe up',
      'route add 224.0.0.0/4 dev ethwe',
    );
  }

  /** Starts a command here as nobody, without any capability. */
  start(argv: string[], options: { privileged?: boolean; extraFd?: boolean } = {}): Started {
    const nobody = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--bounding-set=-all',
      '--inh-caps=-all',
    ];
    const drop = options.privileged ? [] : ['setpriv', ...nobody, '--no-new-privs'];
    const child = spawn('nsenter', [`--net=/run/netns/${this.name}`, ...drop, ...argv], {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.extraFd ? (['ignore', 'pipe', 'pipe'] as const) : [])],
    });
    const started = new Started(child);
    this.#started.push(started);
    return started;
  }

  shim(mode: ShimMode, ...command: string[]): Started {
    return this.start([shims.file(mode), ...command]);
  }

  /** Ends whatever still waits, as after a failed test. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map((started) => started.kill()));
    await runOk(['ip', 'netns', 'del', this.name]);
  }
}

test("waits for each missing piece; similar ones elsewhere don't count", async () => {
  await using ns = await Namespace.create();
  const wait = ns.shim('wait', 'echo', 'ran');
  const multicast = ns.shim('multicast', 'echo', 'ran');
  const held = () => readdir(`/proc/${multicast.pid}/fd`);
  await multicast.asleep();
  const first = await held();
  await ns.ip(
    'address add 10.99.0.1/24 dev other',
    'route add 224.0.0.0/4 dev other metric 9',
    'link add ethwe-2 type veth peer name ethwe-3',
  );
  for (const step of [
    'link add ethwe type veth peer name peer',
    'link set ethwe up', // without a carrier, as its peer is down
    'address add 10.32.0.1/12 dev ethwe',
    'route add 224.0.0.0/4 dev ethwe metric 7', // goes again with the link
    'link set ethwe down',
    'link set peer up',
    'address del 10.32.0.1/12 dev ethwe',
    'link set ethwe up',
  ]) {
    await ns.ip(step);
    await Promise.all([wait.asleep(), multicast.asleep()]);
  }

  await ns.ip('address add 10.32.0.1/12 dev ethwe');
  assert.deepEqual(await wait.ended, { code: 0, signal: null, stdout: 'ran\n', stderr: '' });
  for (const step of [
    'route add 224.0.0.0/4 dev ethwe table 100',
    'route add 224.0.0.0/5 dev ethwe',
    'route add 240.0.0.0/4 dev ethwe',
  ]) {
    await ns.ip(step);
    await multicast.asleep();
  }
  assert.deepEqual(await held(), first, 'it keeps no more descriptors open, whatever it has seen');
  await ns.ip('route add 224.0.0.0/4 dev ethwe');
  assert.deepEqual(await multicast.ended, { code: 0, signal: null, stdout: 'ran\n', stderr: '' });
});

test('an ethwe that is replaced while it waits counts', async () => {
  await using ns = await Namespace.create();
  const shim = ns.shim('multicast', 'echo', 'ran');
  await ns.ip(
    'link add ethwe type veth peer name peer',
    'link set peer up',
    'link set ethwe up',
    'address add 10.32.0.1/12 dev ethwe',
  );
  await shim.asleep();
  await ns.ip('link del ethwe');
  await shim.asleep();
  await ns.ip('link add ethwe type veth peer name peer');
  await ns.ip('link set peer up', 'link set ethwe up', 'route add 224.0.0.0/4 dev ethwe');
  await shim.asleep();
  await ns.ip('address add 10.32.0.1/12 dev ethwe');
  assert.equal((await shim.ended).stdout, 'ran\n');
});

test("events that the kernel drops don't matter", async () => {
  await using ns = await Namespace.create();
  const shim = ns.shim('multicast', 'echo', 'ran');
  await shim.asleep();
  process.kill(shim.pid, 'SIGSTOP');
  await ns.ip(...Array.from({ length: 600 }, (_, i) => `address add 10.9.${i >> 8}.${i & 255}/32 dev lo`));
  assert.ok(((await netlinkSocket(shim.pid))?.drops ?? 0) > 0, 'the storm was too small');
  await ns.complete(); // its events are among those dropped
  process.kill(shim.pid, 'SIGCONT');
  assert.deepEqual(await shim.ended, { code: 0, signal: null, stdout: 'ran\n', stderr: '' });
});

test('says once after 10 s, not before, what is missing; sleeps until then and keeps waiting', async () => {
  const stages: [string, string[]][] = [
    ['is not there yet', []],
    ['is not up', ['link add ethwe type veth peer name peer', 'link set ethwe up']],
    ['has no address', ['link set peer up']],
    ['has no multicast route', ['address add 10.32.0.1/12 dev ethwe']],
  ];
  const wakeUps = async (pid: number) =>
    Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
  await Promise.all(
    stages.map(async ([lack], stage) => {
      await using ns = await Namespace.create();
      await ns.ip(...stages.slice(0, stage + 1).flatMap(([, lines]) => lines));
      const started = Date.now();
      const shim = ns.shim('multicast', 'echo', 'ran');
      await shim.asleep();
      // The linkwatch of the kernel may still report the carrier.
      const before = await wakeUps(shim.pid);
      await until('it has said something', () => shim.stderr.includes('\n'));
      const said =
        `w: waiting for the network: interface ethwe ${lack}. ` +
        'On the host, `weavets ps --why` and `weavets status` tell more.\n';
      assert.equal(shim.stderr, said);
      assert.ok(Date.now() - started >= 10_000, `after ${Date.now() - started} ms`);
      assert.ok((await wakeUps(shim.pid)) - before <= 6, 'it polls');
      await ns.ip(...stages.slice(stage + 1).flatMap(([, lines]) => lines));
      await ns.ip('route add 224.0.0.0/4 dev ethwe');
      assert.deepEqual(await shim.ended, { code: 0, signal: null, stdout: 'ran\n', stderr: said });
    }),
  );
});

test('a signal ends the wait at once, even as PID 1, unless the caller ignores it', async () => {
  await using ns = await Namespace.create();
  for (const [signal, code] of Object.entries({ SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 })) {
    const shim = ns.shim('wait', 'echo', 'ran');
    await shim.asleep();
    process.kill(shim.pid, signal);
    assert.deepEqual(await shim.ended, { code, signal: null, stdout: '', stderr: '' }, signal);

    const unshare = ns.start(['unshare', '--pid', '--kill-child', shims.file('wait'), 'echo', 'ran'], {
      privileged: true,
    });
    let pid = 0;
    await until('the shim is PID 1', async () => {
      pid = Number(await readFile(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8'));
      return pid > 0 && /^NSpid:\t\d+\t1$/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
    });
    await unshare.asleep(pid);
    process.kill(pid, signal);
    assert.deepEqual(
      await unshare.ended,
      { code, signal: null, stdout: '', stderr: '' },
      `${signal} as PID 1`,
    );
  }

  const ignoring = ns.start(['env', '--ignore-signal=INT', shims.file('wait'), 'echo', 'ran']);
  await ignoring.asleep();
  process.kill(ignoring.pid, 'SIGINT');
  await ignoring.asleep();
  await ns.complete();
  assert.equal((await ignoring.ended).stdout, 'ran\n');
});

test('the command gets arguments, environment, descriptors, signals and privileges unchanged', async () => {
  // Each has another way to see them; all are one program without a shell between, which could repair something.
  const views = [
    ['cat', '/proc/self/cmdline'],
    ['printf', '%s|', 'a b', '', '*', '\\n', 'é'],
    ['env', '-0'],
    ['ls', '/proc/self/fd'],
    [
      'grep',
      '-E',
      '^(Sig(Pnd|Blk|Ign|Cgt)|ShdPnd|Cap|Uid|Gid|Groups|NoNewPrivs|Seccomp)',
      '/proc/self/status',
    ],
    ['cat', '/proc/self/limits', '/proc/self/oom_score_adj', '/proc/self/personality'],
  ];
  const setting = ['env', '--block-signal=USR1,TERM', '--ignore-signal=PIPE,INT', 'ODD=a\nb', 'EMPTY='];
  await using ns = await Namespace.create();
  for (const privileged of [false, true]) {
    for (const mode of ['nowait', 'multicast'] as const) {
      const through = views.map((view) =>
        ns.start([...setting, shims.file(mode), ...view], { privileged, extraFd: true }),
      );
      if (mode === 'multicast') await Promise.all(through.map((shim) => shim.asleep()));
      if (mode === 'multicast') await ns.complete();
      for (const [i, view] of views.entries()) {
        const direct = await ns.start([...setting, ...view], { privileged, extraFd: true }).ended;
        assert.deepEqual(await through[i]?.ended, direct, `${mode}: ${view.join(' ')}`);
        assert.notEqual(direct.stdout, '');
      }
    }
    await ns.ip('link del ethwe');
  }
});

test("what can't be watched is not waited for", async () => {
  await using ns = await Namespace.create();
  // Too few descriptors for the first, second or third that it opens; a static command needs none.
  for (const descriptors of [3, 4, 5]) {
    const limit = `--nofile=${descriptors}`;
    const shim = ns.start(['prlimit', limit, shims.file('multicast'), 'busybox', 'echo', 'ran']);
    assert.deepEqual(await shim.ended, {
      code: 0,
      signal: null,
      stdout: 'ran\n',
      stderr: "w: the network can't be watched from here (errno 24): starting without waiting for it\n",
    });
  }
});
