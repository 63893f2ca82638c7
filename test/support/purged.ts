import assert from 'node:assert/strict';
import type { Host } from './host.ts';

/**
 * A purge leaves nothing but the shim, which containers start; these run on, and start again.
 * @param root where the package was installed
 */
export async function assertPurged(host: Host, root: Pick<Host, 'run'>, containers: readonly string[]) {
  for (const name of containers) {
    assert.equal(await host.docker('inspect', '-f', '{{.State.Running}}', name), 'true');
    await host.docker('restart', '-t', '1', name);
    assert.equal(await host.docker('exec', name, 'echo', 'up'), 'up');
  }
  assert.doesNotMatch(await host.runOk(['ip', 'link']), /weave|vethwe/);
  assert.doesNotMatch(await host.runOk(['iptables-save']), /WEAVE/);
  assert.equal(await host.runOk(['ls', '/var/lib/weave']), 'shim\n');
  for (const path of ['/etc/default/weavets', '/usr/lib/weavets', '/usr/bin/weavets', '/run/weave'])
    assert.notEqual((await root.run(['test', '-e', path])).code, 0, path);
}
