/** A container's /etc/hosts: our lines are there when its command begins, and no others are touched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/host.ts';
import { forEachEngine, useHost } from '../support/use-host.ts';

const ours = /^10\.\d+\.\d+\.\d+\t.*\n/gm;

forEachEngine(({ suite }) => {
  const host = useHost({ suite, launch: [] });

  const hostsOf = (name: string) => host.docker('exec', name, 'cat', '/etc/hosts');
  const addressOf = async (name: string) =>
    /inet ([\d.]+)\/12/.exec(await host.docker('exec', name, 'ip', '-4', 'addr', 'show', 'ethwe'))?.[1];
  const lineOf = async (name: string) => `${await addressOf(name)}\t${name}.weave.local ${name}`;
  const start = (name: string, ...options: string[]) =>
    host.proxied('run', '-d', '--name', name, ...options, 'busybox', 'sleep', '100000');
  /** A file as the engine alone writes it, whatever address it gave. */
  const withoutEngines = (text: string) =>
    text.replace(/172\.\d+\.\d+\.\d+(?=\t\S+\.weave\.local)/g, 'engine');

  test('a container finds its weave address under its own name from the start, 15 of 15', async () => {
    const look =
      'hostname -i; ip -4 -o addr show ethwe | grep -o "inet [0-9.]*"; ping -c 1 -W 5 $(hostname) | head -1; cat /etc/hosts';
    for (let i = 1; i <= 15; i++) {
      const shown = await host.proxied('run', '--rm', '--name', `h${i}`, 'busybox', 'sh', '-c', look);
      const [self, inet, ping] = shown.split('\n');
      assert.equal(inet, `inet ${self}`, shown);
      assert.ok(ping?.startsWith(`PING h${i}.weave.local (${self})`), shown);
      assert.equal(shown.match(ours)?.join(''), `${self}\th${i}.weave.local h${i}\n`, shown);
    }
  });

  test("the rest of the file is the engine's, including --add-host with host-gateway", async () => {
    const command = [
      '--add-host',
      'x.int:host-gateway',
      '--add-host',
      'y.int:10.9.8.7',
      '-h',
      'ex.weave.local',
    ];
    const run = ['run', '--rm', '--name', 'ex', ...command, 'busybox', 'cat', '/etc/hosts'];
    const direct = `${await host.docker(...run)}\n`;
    const proxied = `${await host.proxied(...run)}\n`;
    assert.match(direct, /^172\.17\.0\.1\tx\.int$/m);
    const line = /^10\.32\.0\.\d+\tex\.weave\.local ex\n/m;
    assert.match(proxied, line);
    assert.equal(withoutEngines(proxied.replace(line, '')), withoutEngines(direct));
  });

  test('other lines stay byte for byte; ours come back when the engine removes them', async () => {
    await start('kept');
    const line = await lineOf('kept');
    await host.docker('exec', 'kept', 'sh', '-c', 'printf "5.6.7.8 mine # a note\\n\\n#end" >>/etc/hosts');
    const before = await hostsOf('kept');
    assert.ok(before.includes(`\n${line}\n`), before);
    assert.ok(before.endsWith('5.6.7.8 mine # a note\n\n#end'), before);

    assert.equal((await host.weavets('stop')).code, 0);
    await host.launch();
    assert.equal(await hostsOf('kept'), before);

    // The engine itself drops empty lines when it disconnects a container, and our line, which reads like its own.
    await host.docker('network', 'create', 'later');
    await host.docker('network', 'connect', 'later', 'kept');
    await host.docker('network', 'disconnect', 'later', 'kept');
    await until('our line is back', async () => (await hostsOf('kept')).includes(`\n${line}\n`));
    const after = await hostsOf('kept');
    assert.ok(after.includes('5.6.7.8 mine # a note\n'), after);
    assert.equal(after.match(ours)?.length, 1, after);
    assert.ok(after.indexOf(line) < after.search(/^172\.17\.\S+\tkept/m), after);
  });

  test('restarted with and without the proxy: the same address under its name, once', async () => {
    await start('again');
    const line = await lineOf('again');
    await host.proxied('restart', '-t', '0', 'again');
    assert.deepEqual((await hostsOf('again')).match(ours), [`${line}\n`]);
    await host.docker('restart', '-t', '0', 'again');
    await until('our line is back', async () => (await hostsOf('again')).includes(`\n${line}\n`));
    assert.deepEqual((await hostsOf('again')).match(ours), [`${line}\n`]);
  });

  test('a name given by --add-host stays the user’s', async () => {
    const look = [
      'busybox',
      'sh',
      '-c',
      'ping -c 1 -W 1 own.weave.local; ping -c 1 -W 1 own; cat /etc/hosts',
    ];
    const { stdout } = await host.tryProxied(
      ...['run', '--rm', '--name', 'own', '--add-host', 'own.weave.local:127.0.0.9', ...look],
    );
    assert.match(stdout, /PING own\.weave\.local \(127\.0\.0\.9\)/);
    assert.match(stdout, /PING own \(10\.32\.0\.\d+\)/);
    assert.match(stdout, /^10\.32\.0\.\d+\town\n/m);
  });

  test('addresses added by hand are in the file for as long as the container has them', async () => {
    await start('more');
    const line = await lineOf('more');
    assert.equal((await host.weavets('attach', '10.2.1.7/24', 'more')).code, 0);
    assert.deepEqual((await hostsOf('more')).match(ours), [`${line}\n`, '10.2.1.7\tmore.weave.local more\n']);
    assert.equal((await host.weavets('detach', '10.2.1.7/24', 'more')).code, 0);
    assert.deepEqual((await hostsOf('more')).match(ours), [`${line}\n`]);
    assert.equal((await host.weavets('detach', 'more')).code, 0);
    assert.equal((await hostsOf('more')).match(ours), null);
  });

  test('read-only root, --net none, another user', async () => {
    for (const options of [['--read-only'], ['--net', 'none'], ['--user', '1000']]) {
      const run = ['run', '--rm', '--name', 'odd', ...options, 'busybox', 'sh', '-c'];
      const shown = `${await host.proxied(...run, 'hostname -i; cat /etc/hosts')}\n`;
      const [self] = shown.split('\n');
      assert.match(self ?? '', /^10\.32\.0\.\d+$/, `${options}: ${shown}`);
      assert.deepEqual(shown.match(ours), [`${self}\todd.weave.local odd\n`], `${options}`);
    }
  });

  test('a hosts file mounted by the user is left alone', async () => {
    await host.runOk(['sh', '-c', 'printf "1.2.3.4 mounted" >/run/own-hosts']);
    const run = ['run', '--rm', '-v', '/run/own-hosts:/etc/hosts', 'busybox', 'cat', '/etc/hosts'];
    assert.equal(await host.proxied(...run), '1.2.3.4 mounted');
    assert.equal(await host.runOk(['cat', '/run/own-hosts']), '1.2.3.4 mounted');
  });

  test('ethwe is listed after the engine’s interfaces; bridge ports have no IPv6', async () => {
    await start('indexed');
    assert.match(
      await host.docker('exec', 'indexed', 'ip', 'addr', 'show', 'ethwe'),
      /^65536: ethwe@if\d+: /,
    );
    const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'indexed');
    const port = await host.runOk(['ip', 'addr', 'show', `vethwepl${pid}`]);
    assert.doesNotMatch(port, /inet6/);
    assert.match(port, / master weave /);
    const id = await host.docker('inspect', '-f', '{{.Id}}', 'indexed');
    assert.equal((await host.runOk(['cat', `/sys/class/net/vethwepl${pid}/ifalias`])).trim(), id);
  });

  test('multicast is accepted from the container’s subnets only, however it was attached', async () => {
    await host.docker('run', '-d', '--name', 'past', 'busybox', 'sleep', '100000');
    const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'past');
    const rules = () => host.runOk(['nsenter', '-t', pid, '-n', 'iptables', '-S']);
    const jump = '-A INPUT -d 224.0.0.0/4 -i ethwe -j WEAVE-MULTICAST';
    assert.equal((await host.weavets('attach', '--no-multicast-route', '10.2.2.2/24', 'past')).code, 0);
    assert.equal((await host.weavets('attach', '10.2.3.2/24', 'past')).code, 0);
    const both = await rules();
    assert.equal(both.split(jump).length, 2, both);
    assert.match(
      both,
      /-A WEAVE-MULTICAST -s 10\.2\.2\.0\/24 -j RETURN\n-A WEAVE-MULTICAST -s 10\.2\.3\.0\/24 -j RETURN\n-A WEAVE-MULTICAST -j DROP/,
    );
    // A step that a crash may skip.
    await host.runOk(['nsenter', '-t', pid, '-n', 'iptables', '-D', ...jump.split(' ').slice(1)]);
    assert.equal((await host.weavets('stop')).code, 0);
    await host.launch();
    await until('the rule is back', async () => (await rules()).includes(jump));
    assert.equal((await rules()).split(jump).length, 2);
  });

  test('reset removes our lines from running containers’ files, and no others', async () => {
    await start('left');
    const line = await lineOf('left');
    const before = await hostsOf('left');
    assert.ok(before.includes(`${line}\n`), before);
    assert.equal((await host.weavets('reset', '--force')).code, 0);
    assert.equal(await hostsOf('left'), before.replace(`${line}\n`, ''));
  });
});
