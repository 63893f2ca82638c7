import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compare } from '../differential/compare.ts';
import { Host, inSuite, type Suite } from '../support/host.ts';

const proxy = 'unix:///var/run/weave/weave.sock';

/** What holds on every engine, played on that of `suite`, by the machine's docker and by that of the suite. */
export function playOn(suite: Suite, api: RegExp): void {
  let host: Host;
  before(async () => {
    host = await Host.create({ suite });
    const { code, stderr } = await host.weavets('launch', '--rewrite-inspect');
    assert.equal(code, 0, stderr);
  });
  after(() => host[Symbol.asyncDispose]());

  /** A script whose docker is that of the machine, or with `newer` that of the suite. @returns standard output */
  async function sh(script: string, { newer = false, env = {} } = {}): Promise<string> {
    const argv = ['bash', '-c', script];
    const command = newer ? await inSuite(suite, argv) : argv;
    const out = await host.run(command, { env: { DOCKER_HOST: proxy, DOCKER_BUILDKIT: '0', ...env } });
    assert.equal(out.code, 0, `${script}: ${out.stdout}${out.stderr}`);
    return out.stdout.replaceAll('\r', '');
  }

  test('the engine is the newer one', async () => {
    assert.match(await sh('docker version -f "{{.Server.APIVersion}}"'), api);
  });

  for (const newer of [false, true]) {
    const by = newer ? 'the docker of the suite' : 'the docker of the machine';

    test(`the transcript comes out, by ${by}`, async () => {
      const type = (line: string) => sh(line, { newer });
      const ids = await type('docker run --name bbox1 -itd busybox ; docker run --name bbox2 -itd busybox');
      assert.match(ids, /^[0-9a-f]{64}\n[0-9a-f]{64}\n$/);
      const shown = await type('docker exec bbox1 ip a');
      assert.match(shown, /: ethwe@\S+: <BROADCAST,MULTICAST,UP,LOWER_UP\S*> mtu 1450 /);
      const address = /inet (10\.32\.0\.\d+)\/12 brd 10\.47\.255\.255 scope global ethwe/.exec(shown)?.[1];
      assert.ok(address, shown);
      assert.equal(await type('docker exec bbox1 hostname'), 'bbox1.weave.local\n');
      assert.equal(await type('docker exec bbox1 hostname -s'), 'bbox1\n');
      assert.match(
        await type('docker exec bbox1 ping -c 1 bbox2'),
        /PING bbox2 \(10\.32\.0\.\d+\)[\s\S]* 0% packet loss/,
      );
      const routes = await type('docker exec bbox1 ip r');
      assert.match(routes, /^default via 172\.17\.0\.1 dev eth0 *$/m);
      assert.ok(routes.includes(`10.32.0.0/12 dev ethwe scope link  src ${address}`), routes);
      assert.match(routes, /^224\.0\.0\.0\/4 dev ethwe scope link *$/m);
      assert.equal(
        await type("docker ps --format '{{.Names}} {{.Command}}' | sort"),
        'bbox1 "/w/w sh"\nbbox2 "/w/w sh"\n',
      );
      // --rewrite-inspect: where this API has the address of a container.
      assert.ok((await type('docker inspect bbox1')).includes(`"IPAddress": "${address}"`));
      await type('docker restart -t 0 bbox1');
      assert.ok((await type('docker exec bbox1 ip -4 a show ethwe')).includes(`inet ${address}/12`));
      await type('docker rm -f bbox1 bbox2');
    });

    test(`streams of every kind, by ${by}`, async () => {
      const type = (line: string) => sh(line, { newer });
      assert.equal(await type('echo in | docker run --rm -i busybox cat'), 'in\n');
      assert.equal(
        await type('seq 1 100000 | docker run --rm -i busybox sh -c "sort -n | tail -1; echo done"'),
        '100000\ndone\n',
      );
      assert.equal(
        await type('docker run --rm busybox sh -c "echo out; echo err >&2; exit 3" 2>/dev/null || echo $?'),
        'out\n3\n',
      );
      assert.match(
        await type(`script -qec "docker run --rm -it busybox tty" /dev/null </dev/null`),
        /\/dev\/pts\/0\n/,
      );
      await type('docker run -d --name st busybox sleep 1000 >/dev/null');
      assert.equal(await type('echo e | docker exec -i st sh -c "cat; echo late"'), 'e\nlate\n');
      assert.equal(await type('docker exec st false || echo $?'), '1\n');
      await type('docker run -di --name at busybox sh -c "read l; echo got \\$l" >/dev/null');
      assert.equal(await type('(echo one; sleep 0.3) | docker attach --sig-proxy=false at'), 'got one\n');
      assert.equal(await type('docker logs at'), 'got one\n');
      assert.equal(
        await type('f=$(mktemp); echo f >$f; docker cp -q $f st:/f && docker cp st:/f - | tar -xO; rm $f'),
        'f\n',
      );
      assert.match(await type('docker save busybox | docker load'), /^Loaded image: busybox:latest\n$/);
      await type('docker rm -f st at');
    });
  }

  test('the classic builder, and BuildKit over h2c', async () => {
    const build =
      'printf "FROM busybox\\nRUN echo built > /b\\n" | docker build -q -t NAME - && docker run --rm NAME cat /b';
    for (const [kit, newer] of [
      ['0', false],
      ['0', true],
      ['1', true],
    ] as const) {
      const name = `kit${kit}${newer ? 'n' : 'o'}`;
      const out = await sh(build.replaceAll('NAME', name), { newer, env: { DOCKER_BUILDKIT: kit } });
      assert.match(out, /^sha256:[0-9a-f]{64}\nbuilt\n$/, name);
    }
  });

  test('a hijack is multiplexed-stream where the client asks for that, and ends each way on its own', async () => {
    await sh('docker create -i --name mux busybox sh -c "cat; echo err >&2" >/dev/null');
    const attach =
      'POST /v1.42/containers/mux/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\\r\\nHost: d\\r\\nConnection: Upgrade\\r\\nUpgrade: tcp\\r\\nAccept: application/vnd.docker.multiplexed-stream\\r\\n\\r\\n';
    // The container starts once the attach is there; standard input ends then.
    const answer = await sh(
      `(printf '${attach}'; sleep 0.5; docker start mux >/dev/null; echo typed) | socat -t 20 - UNIX-CONNECT:/var/run/weave/weave.sock | tr -d '\\000\\001\\002\\006\\004'`,
    );
    assert.match(
      answer,
      /^HTTP\/1\.1 101 UPGRADED\nContent-Type: application\/vnd\.docker\.multiplexed-stream\n/,
    );
    assert.match(answer, /typed\n[\s\S]*err\n$/);
    await sh('docker rm -f mux');
  });

  test('an engine that is restarted: its containers are attached again, and new ones too', async () => {
    await sh('docker run -d --restart always --name stays busybox sleep 1000');
    const before = await sh('docker exec stays ip -4 -o addr show ethwe');
    await host.stopEngine();
    await host.startEngine();
    // exec waits for the network.
    await sh('until docker exec stays true 2>/dev/null; do sleep 0.1; done');
    const after = await sh('docker exec stays ip -4 -o addr show ethwe');
    const address = (text: string) => /inet (\S+)/.exec(text)?.[1];
    assert.equal(address(after), address(before));
    assert.match(await sh('docker run --rm busybox ip -4 addr show ethwe'), /inet 10\.32\./);
    await sh('docker rm -f stays');
  });

  test('every call answers through the proxy as it does directly', (t) => compare(host, t));
}
