import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Host, until, weavets } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

/** A bash session on the host in which commands are typed one after the other, as in the README. */
class Session {
  readonly #host: Host;
  #exports = '';

  constructor(host: Host) {
    this.#host = host;
  }

  /** Types one line; changes to the environment persist. @returns its output */
  async type(line: string): Promise<string> {
    const marker = '--env--';
    const script = `${this.#exports}\nexport PATH=$PATH:${weavets.replace('/weavets', '')}\n${line}\nstatus=$?; echo; echo '${marker}'; declare -px DOCKER_HOST ORIG_DOCKER_HOST 2>/dev/null; exit $status`;
    const { code, stdout, stderr } = await this.#host.shell(script, { env: { DOCKER_HOST: undefined } });
    assert.equal(code, 0, `${line}: ${stderr}`);
    const [output = '', exports = ''] = stdout.split(`\n${marker}\n`);
    this.#exports = exports;
    return output.trim();
  }
}

const host = useHost();
const session = new Session(host);

test('the transcript, line by line', async (t) => {
  assert.match(await session.type('weavets launch'), /^\S+$/);
  await session.type('eval $(weavets env)');
  assert.equal(await session.type('echo $DOCKER_HOST'), 'unix:///var/run/weave/weave.sock');

  await t.test('docker run, twice, on one line', async () => {
    const ids = await session.type(
      'docker run --name bbox1 -itd busybox ; docker run --name bbox2 -itd busybox',
    );
    assert.match(ids, /^[0-9a-f]{64}\n[0-9a-f]{64}$/);
  });
  await t.test('ip a shows eth0 and ethwe', async () => {
    const shown = await session.type('docker exec bbox1 ip a');
    assert.match(shown, /: lo: /);
    assert.match(shown, /: eth0@\S+: .*UP/);
    assert.match(shown, /^65536: ethwe@if65537: <BROADCAST,MULTICAST,UP,LOWER_UP\S*> mtu 1450 /m);
    assert.match(shown, /inet 10\.32\.0\.1\/12 brd 10\.47\.255\.255 scope global ethwe/);
    assert.match(await session.type('ip link show weave'), /mtu 1450 .*state UP/);
  });
  await t.test('hostname is the full name, and both names resolve', async () => {
    assert.equal(await session.type('docker exec bbox1 hostname'), 'bbox1.weave.local');
    assert.equal(await session.type('docker exec bbox1 hostname -s'), 'bbox1');
    assert.equal(await session.type('docker exec bbox1 hostname -f'), 'bbox1.weave.local');
    assert.equal(await session.type('docker exec bbox2 hostname'), 'bbox2.weave.local');
    assert.equal(await session.type('docker exec bbox1 hostname -i'), '10.32.0.1');
    assert.match(
      await session.type("docker exec bbox1 sh -c 'ping -c 1 $(hostname)'"),
      /PING bbox1\.weave\.local \(10\.32\.0\.1\)[\s\S]* 0% packet loss/,
    );
  });
  await t.test('ping by short name and by full name', async () => {
    assert.match(
      await session.type('docker exec bbox1 ping -c 2 bbox2'),
      /PING bbox2 \(10\.32\.0\.2\)[\s\S]* 0% packet loss/,
    );
    assert.match(
      await session.type('docker exec bbox2 ping -c 1 bbox1.weave.local'),
      /\(10\.32\.0\.1\)[\s\S]* 0% packet loss/,
    );
  });
  await t.test('ip r shows the default, subnet and multicast routes', async () => {
    const routes = await session.type('docker exec bbox1 ip r');
    assert.match(routes, /^default via 172\.17\.0\.1 dev eth0 *$/m);
    assert.match(routes, /^10\.32\.0\.0\/12 dev ethwe scope link {2}src 10\.32\.0\.1 *$/m);
    assert.match(routes, /^224\.0\.0\.0\/4 dev ethwe scope link *$/m);
  });
  await t.test('docker ps shows the shim', async () => {
    assert.equal(
      await session.type("docker ps --format '{{.Names}} {{.Command}}' | sort"),
      'bbox1 "/w/w sh"\nbbox2 "/w/w sh"',
    );
  });
  await t.test('the host has the veth on the bridge, hairpin on', async () => {
    const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', 'bbox1');
    const link = await session.type(`bridge -d link show dev vethwepl${pid}`);
    assert.match(link, /master weave state forwarding/);
    assert.match(link, /hairpin on/);
  });
  await t.test('multicast from one reaches the other on ethwe', async () => {
    const [one, two] = await Promise.all(
      ['bbox1', 'bbox2'].map((name) => host.docker('inspect', '-f', '{{.State.Pid}}', name)),
    );
    const inNetns = (pid: string | undefined, ...argv: string[]) => [
      'nsenter',
      '-n',
      '-t',
      String(pid),
      ...argv,
    ];
    const receiver = host.spawn(
      inNetns(two, 'socat', '-u', 'UDP4-RECVFROM:5001,ip-add-membership=239.7.7.7:ethwe', '-'),
    );
    let heard = '';
    receiver.stdout?.on('data', (text) => {
      heard += text;
    });
    const ended = new Promise((resolve) => receiver.once('close', resolve));
    const send = inNetns(one, 'socat', '-u', '-', 'UDP4-DATAGRAM:239.7.7.7:5001');
    await until('it is heard', async () => {
      await host.runOk(send, { input: 'to all' });
      return heard !== '';
    });
    await ended;
    assert.equal(heard, 'to all');
  });
  await t.test('env --restore gives plain docker again', async () => {
    await session.type('eval $(weavets env --restore)');
    assert.equal(await session.type('echo ${DOCKER_HOST-unset}'), 'unset');
    assert.equal(await session.type("docker run --rm busybox sh -c 'ip link | grep -c ethwe || true'"), '0');
  });
});
