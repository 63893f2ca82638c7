import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { run, runOk } from '../../src/lib/exec.ts';
import { Host, repository } from '../support/host.ts';

const address = '172.17.0.1';
const many = Array.from({ length: 200 }, (_, i) => `10.33.0.${i + 1}`);

/** Prints what getaddrinfo() gives, a line each; linked with musl it is what Alpine's programs see. */
const resolve = `
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
  int error = getaddrinfo(argv[1], 0, &hints, &list);
  if (error) return fprintf(stderr, "%s\\n", gai_strerror(error)), error == EAI_NONAME ? 2 : 1;
  for (char text[64]; list; list = list->ai_next)
    puts(inet_ntop(list->ai_family, list->ai_family == AF_INET
      ? (void *)&((struct sockaddr_in *)list->ai_addr)->sin_addr
      : (void *)&((struct sockaddr_in6 *)list->ai_addr)->sin6_addr, text, sizeof text));
}`;

/** Sends a query for \`x.\` from UDP port 0, to which nothing can be sent back. */
const portZero = `
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
int main(int argc, char **argv) {
  unsigned char packet[] = {0, 0, 0, 53, 0, 27, 0, 0,  1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 1, 0, 1};
  struct sockaddr_in to = {.sin_family = AF_INET};
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  return sendto(s, packet, sizeof packet, 0, (void *)&to, sizeof to) != sizeof packet;
}`;

const enter =
  'hostname bbox1.weave.local; f=$(mktemp); echo "$0" > $f; mount --bind $f /etc/resolv.conf; rm $f; exec "$@"';

test('programs in containers resolve names', async (t) => {
  await using host = await Host.create({ engine: false });
  await host.runOk(['ip', 'addr', 'add', `${address}/16`, 'dev', 'lo']);
  // Ourselves alone, as some hosts have it: must not go round in a circle.
  await host.shell(`echo 'nameserver ${address}' > /etc/resolv.conf`);
  for (const [name, source] of Object.entries({ resolve, portZero })) {
    await writeFile(join(host.dir, `${name}.c`), source);
    await runOk(['musl-gcc', '-static', '-o', join(host.dir, name), join(host.dir, `${name}.c`)]);
  }
  await runOk(['gcc', '-o', join(host.dir, 'resolve-glibc'), join(host.dir, 'resolve.c')]);
  const argv = ['node', '--import', 'tsx', 'test/netns/dns-main.ts', address];
  const names = ['bbox2=10.32.0.2', 'db.prod.weave.local=10.32.0.3', ...many.map((ip) => `many=${ip}`)];
  const server = host.spawn(['sh', '-c', 'cd "$0" && exec "$@"', repository, ...argv, ...names]);
  server.stderr?.pipe(process.stderr);
  const [line] = (await once(server.stdout ?? process.stdin, 'data')) as [Buffer];
  assert.equal(line.toString().trim(), `${address}:53`);

  /** Runs a program with the hostname and the resolv.conf of a container. Of `search .` the engine leaves nothing. */
  const inContainer = (search: string, ...command: string[]) =>
    host.run([
      ...['unshare', '-m', '-u', 'sh', '-c', enter],
      // A server that does not answer is waited for as long as the libraries can be told to.
      `${search}\nnameserver ${address}\noptions timeout:30\n`,
      ...command,
    ]);
  const programs = { musl: join(host.dir, 'resolve'), glibc: join(host.dir, 'resolve-glibc') };

  for (const [libc, program] of Object.entries(programs)) {
    for (const search of ['', 'search weave.local.']) {
      await t.test(`${libc}, ${search || 'no search domain'}`, async () => {
        for (const [name, ip] of [
          ['bbox2', '10.32.0.2'],
          ['BBOX2', '10.32.0.2'],
          ['bbox2.weave.local', '10.32.0.2'],
          ['bbox2.weave.local.', '10.32.0.2'],
          ['db.prod.weave.local', '10.32.0.3'],
        ] as const) {
          assert.deepEqual(
            await inContainer(search, program, name),
            { code: 0, stdout: `${ip}\n`, stderr: '' },
            name,
          );
        }
        for (const name of ['nobody', 'nobody.weave.local']) {
          const start = performance.now();
          assert.equal((await inContainer(search, program, name)).code, 2, `${name} does not exist`);
          assert.ok(performance.now() - start < 30_000, `${name} took too long`);
        }
      });
    }
  }

  await t.test('a name with 200 addresses', async () => {
    const glibc = await inContainer('', programs.glibc, 'many.weave.local');
    assert.deepEqual(glibc.stdout.trim().split('\n').sort(), [...many].sort());
    // musl keeps 48 at most, and before 1.2.4 what fits into 512 bytes.
    const musl = (await inContainer('', programs.musl, 'many.weave.local')).stdout.trim().split('\n');
    assert.ok(musl.length >= 29 && musl.every((ip) => many.includes(ip)), `${musl.length} addresses`);
  });

  await t.test("busybox's nslookup, forward and reverse", async () => {
    const forward = await inContainer('', 'busybox', 'nslookup', 'bbox2.weave.local');
    assert.match(forward.stdout, /10\.32\.0\.2/);
    const reverse = await inContainer('', 'busybox', 'nslookup', '10.32.0.2');
    assert.match(reverse.stdout, /bbox2\.weave\.local/);
  });

  await t.test('a packet from port 0 does no harm', async () => {
    await host.runOk([join(host.dir, 'portZero'), address]);
    const after = await inContainer('', programs.musl, 'bbox2');
    assert.equal(after.stdout, '10.32.0.2\n');
    assert.equal(server.exitCode, null);
  });

  await t.test('the port is now busy, and the error says so', async () => {
    const second = await run(
      host.inside(['sh', '-c', 'cd "$0" && exec "$@"', repository, ...argv]) as [string, ...string[]],
    );
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, /DNS_PORT_BUSY/);
    assert.match(second.stderr, /172\.17\.0\.1:53.*ss -ulpn sport = :53/);
  });

  server.stdin?.end();
  await once(server, 'exit');
});
