import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { inSuite, repository } from '../support/host.ts';
import { SystemResolver } from '../support/resolver.ts';
import { playTranscript } from '../support/transcript.ts';
import { useHost } from '../support/use-host.ts';

const folder = join(repository, 'docs/guides');
const guide = (name: string) => readFileSync(join(folder, name), 'utf8');

let resolver: SystemResolver;
const host = useHost({
  suite: 'sid',
  prepare: async () => {
    resolver = await SystemResolver.start(host);
  },
});
afterEach(async () => {
  await host.weavets('reset');
  await host.removeContainers();
});

test('every guide is played by a test', () => {
  // The first elsewhere, on two hosts.
  const played = ['two-hosts.md', 'names-from-the-host.md', 'several-replicas.md', 'not-attached.md'];
  assert.deepEqual(readdirSync(folder).toSorted(), played.toSorted());
});

test('names from the host', () =>
  playTranscript(guide('names-from-the-host.md'), { hosts: { '': host }, env: resolver.env }));

test('several replicas, by hand and by Compose', async () => {
  await host.launch();
  const page = guide('several-replicas.md');
  const compose = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  // Compose comes from another Debian, with which the host shares this folder.
  await host.shell('cat > /run/compose.yaml', { input: compose });
  const argv = await inSuite('sid', ['docker-compose', '-f', '/run/compose.yaml']);
  const quoted = argv.map((word) => `'${word}'`).join(' ');
  const prelude = `docker() { if [ "$1" = compose ]; then shift; ${quoted} "$@"; else command docker "$@"; fi; }`;
  await playTranscript(page, { hosts: { '': host }, prelude });
});

test('why a container is not attached', async () => {
  await host.launch();
  await playTranscript(guide('not-attached.md'), { hosts: { '': host } });
});
