/** Containers that lay traps for a root daemon, beside a good one that notices nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
    await host.docker('exec', 'good', 'killall', '-INT', 'ping');
    await ended;
    const [, sent, answered] = /(\d+) packets transmitted, (\d+) packets received/.exec(shown) ?? [];
    // The last one may have been in flight.
    assert.ok(Number(answered) > 10 && Number(answered) >= Number(sent) - 1, shown);
    const self = await host.docker('exec', 'good', 'hostname', '-i');
    assert.match(await host.docker('exec', 'friend', 'ping', '-c', '1', 'good'), new RegExp(`\\(${self}\\)`));
  });
});

test('10,000 DNS queries a second leave a good container the names of the network', async (t) => {
  await host.removeContainers();
  await using server = await nameServer(host, '10.250.0.1');
  const before = await host.runOk(['cat', '/etc/resolv.conf']);
  await host.shell(`echo 'nameserver ${server.address}' > /etc/resolv.conf`);
  try {
    for (const name of ['good', 'friend', 'loud', 'louder'])
      await host.proxied('run', '-d', '--name', name, 'busybox', 'sleep', '100000');
    const [ours = ''] = (await host.weavets('docker-bridge-ip')).stdout.split('\n');
    // One asks for names of ours, the other for public ones.
    const floods = ['loud weave.local', 'louder corp.test'].map(async (words) => {
      const [name = '', domain = ''] = words.split(' ');
      await copyProgram(host, name, flood);
      const { stdout } = await host.run(['docker', 'exec', name, '/flood', ours, domain, '8000']);
      const [sent = 0, seconds = 1] = stdout.split(' ').map(Number);
      return sent / seconds;
    });
    const flooding = async (name: string) =>
      (await host.tryDocker('exec', name, 'pidof', 'flood')).code === 0;
    for (const name of ['loud', 'louder']) await until(`${name} floods`, () => flooding(name));
    const times: number[] = [];
    let found = 0;
    for (let i = 0; i < 20; i++) {
      const began = performance.now();
      const { stdout } = await host.tryDocker('exec', 'good', 'ping', '-c', '1', '-W', '1', 'friend');
      times.push(performance.now() - began);
      if (/^PING \S+ \(10\.32\./.test(stdout)) found++;
    }
    for (const name of ['loud', 'louder']) {
      assert.ok(await flooding(name), `${name} flooded all the while`);
      await host.docker('exec', name, 'killall', 'flood');
    }
    // Queries are lost where the flood fills the server's socket, as on any; a resolver asks again.
    assert.ok(found >= 15, `${found} of 20 lookups found the friend`);
    const rates = await Promise.all(floods);
    t.diagnostic(
      `${rates.map(Math.round).join(' and ')} queries a second; the slowest lookup took ${Math.max(...times)} ms`,
    );
    assert.ok(rates.reduce((sum, rate) => sum + rate) > 10_000, `only ${rates} queries a second`);
  } finally {
    await host.shell('cat > /etc/resolv.conf', { input: before });
  }
});

/** flood SERVER DOMAIN RATE: asks for random names of the domain until SIGTERM, and prints how many, in how many seconds. */
const flood = {
  name: 'flood',
  source: `
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
static volatile sig_atomic_t ended;
static void end(int signal) { ended = 1; }
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static unsigned char *label(unsigned char *at, const char *text, int length) {
  *at++ = length;
  memcpy(at, text, length);
  return at + length;
}
int main(int argc, char **argv) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
  inet_aton(argv[1], &to.sin_addr);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (connect(fd, (struct sockaddr *)&to, sizeof to)) return 1;
  signal(SIGTERM, end);
  double began = now(), rate = atof(argv[3]);
  long sent = 0;
  while (!ended) {
    for (long due = (now() - began) * rate; sent < due && !ended; sent++) {
      unsigned char packet[256] = {sent >> 8, sent, 1, 0, 0, 1}, answer[512];
      char name[16];
      unsigned char *at = label(packet + 12, name, sprintf(name, "n%ld", sent));
      for (const char *from = argv[2]; *from;) {
        int length = strcspn(from, ".");
        at = label(at, from, length);
        from += length + (from[length] == '.');
      }
      memcpy(at, "\\0\\0\\1\\0\\1", 5);
      send(fd, packet, at + 5 - packet, 0);
      recv(fd, answer, sizeof answer, 0);
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, 0);
  }
  printf("%ld %f\\n", sent, now() - began);
}`,
};
