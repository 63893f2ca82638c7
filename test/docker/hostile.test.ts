/** Containers that lay traps for a root daemon, beside a good one that notices nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, flood } from '../support/dns-programs.ts';
import { until } from '../support/host.ts';
import { nameServer } from '../support/name-server.ts';
import { copyProgram } from '../support/static-program.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ launch: [] });

/** Prints what runs in the container, a line each. */
const commands = 'for file in /proc/[0-9]*/cmdline; do tr "\\0" " " <$file; echo; done';
const busy = 'mkdir -p /n/etc /n/bin; cp /bin/busybox /n/bin/;';
const stay = 'exec chroot /n /bin/busybox sleep 100000';

/** By trap: how the container is run, and its script. */
const traps: Record<string, { options?: string[]; script: string }> = {
  'a FIFO where its hosts file seems to be': { script: `${busy} mkfifo /n/etc/hosts; ${stay}` },
  'a device node': { script: `${busy} mknod /n/etc/hosts b 8 0; ${stay}` },
  'a link to a file of the host': { script: `${busy} ln -s /proc/1/root/run/victim /n/etc/hosts; ${stay}` },
  'a link in place of its folder': { script: `${busy} rm -r /n/etc; ln -s /run /n/etc; ${stay}` },
  'another mount over its hosts file': {
    options: ['--cap-add', 'SYS_ADMIN', '--security-opt', 'apparmor=unconfined'],
    script: 'echo theirs >/mine; mount --bind /mine /etc/hosts; exec sleep 100000',
  },
  'a name that reads like fields of /proc': {
    // The shell stays: a new program would have its own name.
    script: 'printf "x) R 1 1" >/proc/self/comm; sleep 100000; true',
  },
  'a hosts file of 3 MiB': {
    script: 'dd if=/dev/zero bs=1M count=3 2>/dev/null | tr "\\0" "\\n" >>/etc/hosts; exec sleep 100000',
  },
};

test('traps that a container sets for the daemon are never opened, and disturb nobody', async (t) => {
  await host.runOk(['sh', '-c', 'echo untouched >/run/victim; mkdir -p /run/hosts']);
  await host.proxied('run', '-d', '--name', 'good', 'busybox', 'sleep', '100000');
  await host.proxied('run', '-d', '--name', 'friend', 'busybox', 'sleep', '100000');
  const pings = host.spawn([
    'docker',
    '-H',
    host.engineSocket,
    'exec',
    'good',
    'ping',
    '-i',
    '0.2',
    'friend',
  ]);
  let shown = '';
  pings.stdout?.on('data', (text) => {
    shown += text;
  });
  const ended = new Promise((resolve) => pings.once('close', resolve));
  await until('they answer', () => shown.includes('seq=2'));

  const names = new Map(Object.keys(traps).map((trap, i) => [trap, `trap${i}`]));
  for (const [trap, name] of names) {
    const { options = [], script = '' } = traps[trap] ?? {};
    await host.proxied('run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', script);
    await until(`${trap} is laid`, async () => {
      const { stdout } = await host.tryDocker('exec', name, 'sh', '-c', commands);
      return /^(\/bin\/busybox )?sleep 100000 ?$/m.test(stdout);
    });
  }

  await t.test('weavets stops, launches and attaches as ever', async () => {
    assert.equal((await host.weavets('stop')).code, 0);
    await host.launch();
    for (const [i, name] of [...names.values()].entries()) {
      const { code, stderr } = await host.weavets('attach', '--rewrite-hosts', `10.2.9.${i + 1}/24`, name);
      assert.equal(code, 0, stderr);
    }
    const { stdout } = await host.weavets('ps', 'good', ...names.values());
    assert.equal(stdout.trim().split('\n').length, names.size + 1, stdout);
  });

  await t.test('the engine’s own hosts file has our lines, where it is a regular file', async () => {
    for (const [trap, name] of names) {
      if (trap.includes('MiB')) continue;
      const file = await host.docker('inspect', '-f', '{{.HostsPath}}', name);
      assert.match(
        await host.runOk(['cat', file]),
        new RegExp(`^10\\.2\\.9\\.\\d+\t${name}.weave.local`, 'm'),
        trap,
      );
    }
    assert.equal(
      await host.docker('exec', names.get('another mount over its hosts file') ?? '', 'cat', '/etc/hosts'),
      'theirs',
    );
    assert.equal(await host.runOk(['cat', '/run/victim']), 'untouched\n');
    assert.deepEqual((await host.runOk(['ls', '/run/hosts'])).trim(), '');
    assert.match(
      (await host.weavets('status')).stdout,
      /the \/etc\/hosts of container \S+ lacks its weave address: .* larger/,
    );
  });

  await t.test('the good container lost no packet, and has its file and its name', async () => {
    const answered = () => [...shown.matchAll(/ seq=(\d+) /g)].map(([, seq]) => Number(seq));
    const more = answered().length + 10;
    await until('they still answer', () => answered().length >= more);
    await host.docker('exec', 'good', 'killall', '-INT', 'ping');
    await ended;
    // Those after the last answer may have been in flight.
    assert.deepEqual(answered(), [...answered().keys()], shown);
    const self = await host.docker('exec', 'good', 'hostname', '-i');
    assert.match(await host.docker('exec', 'friend', 'ping', '-c', '1', 'good'), new RegExp(`\\(${self}\\)`));
  });
});

test('10,000 DNS queries a second by one container, and as many by another: a good one notices nothing', async (t) => {
  await host.removeContainers();
  await using server = await nameServer(host, '10.250.0.1');
  const before = await host.runOk(['cat', '/etc/resolv.conf']);
  await host.shell(`echo 'nameserver ${server.address}' > /etc/resolv.conf`);
  try {
    for (const name of ['good', 'friend', ...Object.keys(floods)])
      await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
    const [ours = ''] = (await host.weavets('docker-bridge-ip')).stdout.split('\n');
    await copyProgram(host, 'good', ask);
    const flooding: ReturnType<typeof startFlood>[] = [];
    for (const [name, domain] of Object.entries(floods)) {
      flooding.push(startFlood(name, domain, ours));
      await until(`${name} floods`, () => isFlooding(name));
    }
    const { stdout } = await host.run([
      ...['docker', 'exec', 'good', '/ask', ours, '20'],
      ...['friend.weave.local', 'www.corp.test'],
    ]);
    await until('status says who floods', async () => {
      const said = (await host.weavets('status')).stdout;
      return Object.keys(floods).every((name) => said.includes(`container ${name} (172.17.`));
    });
    assert.match(
      await host.runOk(['curl', '-sf', 'http://127.0.0.1:6782/metrics']),
      /^weave_dns_dropped_total [1-9]/m,
    );
    for (const name of Object.keys(floods)) {
      assert.ok(await isFlooding(name), `${name} flooded all the while`);
      await host.docker('exec', name, 'killall', 'flood');
    }
    const lookups = stdout.trim().split('\n').map(readLookup);
    const friend = await host.docker('exec', 'friend', 'hostname', '-i');
    for (const [name, address] of [
      ['friend.weave.local', friend],
      ['www.corp.test', '192.0.2.7'],
    ])
      assert.deepEqual(
        lookups.filter((lookup) => lookup.name === name).map((lookup) => lookup.address),
        Array.from({ length: 20 }, () => address),
        stdout,
      );
    const times = lookups.map(({ ms }) => ms).sort((a, b) => a - b);
    t.diagnostic(
      `the slowest of ${times.length} lookups took ${times.at(-1)} ms, half of them ${times[20]} ms`,
    );
    for (const { name, sent, answered, seconds } of await Promise.all(flooding)) {
      t.diagnostic(
        `${name}: ${Math.round(sent / seconds)} queries a second, ${answered} of ${sent} answered`,
      );
      assert.ok(answered > 0, `${name} is not shut out`);
      assert.ok(sent / seconds > 5_000, `${name} sends ${sent} in ${seconds} s only`);
    }
    // On a machine that is busy beyond measure some may be lost; without the limit it is a quarter.
    const again = lookups.filter(({ tries }) => tries > 1).length;
    assert.ok(again <= 4, `${again} times the good one had to ask again\n${stdout}`);
    assert.ok((times[20] ?? Number.POSITIVE_INFINITY) < 500, `lookups are slow\n${stdout}`);
  } finally {
    await host.shell('cat > /etc/resolv.conf', { input: before });
  }
});

/** By container: what it asks for names in, ours or public ones. */
const floods = { loud: 'weave.local', louder: 'corp.test' };

/** Floods from a container until that is told to end. */
async function startFlood(name: string, domain: string, server: string) {
  await copyProgram(host, name, flood);
  const { stdout } = await host.run(['docker', 'exec', name, '/flood', server, domain, '10000']);
  const [sent = 0, answered = 0, seconds = 1] = stdout.split(' ').map(Number);
  return { name, sent, answered, seconds };
}

async function isFlooding(name: string): Promise<boolean> {
  return (await host.tryDocker('exec', name, 'pidof', 'flood')).code === 0;
}

/** A line of {@link ask}. */
function readLookup(line: string) {
  const [name = '', ms, tries, address = ''] = line.split(' ');
  return { name, ms: Number(ms), tries: Number(tries), address };
}
