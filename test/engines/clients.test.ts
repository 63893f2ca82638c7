import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { playCompose } from '../support/compose.ts';
import { Host, inSuite } from '../support/host.ts';

let host: Host;
before(async () => {
  host = await Host.create();
  const { code, stderr } = await host.weavets('launch');
  assert.equal(code, 0, stderr);
});
after(() => host[Symbol.asyncDispose]());

test('Compose of today, on the machine’s engine', async () => {
  await playCompose(host, await inSuite('trixie', ['docker-compose']), '-');
});

test('BuildKit of today, on the machine’s engine', async () => {
  const build =
    'printf "FROM busybox\\nRUN echo built > /b\\n" | docker build -q -t kit - && docker run --rm kit cat /b';
  const env = { DOCKER_HOST: 'unix:///var/run/weave/weave.sock', DOCKER_BUILDKIT: '1' };
  const { code, stdout, stderr } = await host.run(await inSuite('trixie', ['bash', '-c', build]), { env });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^sha256:[0-9a-f]{64}\nbuilt\n$/);
});
