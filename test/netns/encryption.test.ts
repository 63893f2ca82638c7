import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Host, repository, Underlay } from '../support/host.ts';
import { Node } from './datapath-lab.ts';

test('without WireGuard in the kernel, says what is missing, one thing at a time', async () => {
  await using host = await Host.create({ engine: false });
  const script = `
    import { demand } from '${repository}/src/doctor/check.ts';
    import { encryption } from '${repository}/src/doctor/checks/encryption.ts';
    const config = { password: 'secret', store: 'etcd://10.0.0.1:2379' };
    await demand(encryption, { config }).then(() => console.log('can'), (error) => console.log(error.code, error.message));
  `;
  const tsx = import.meta.resolve('tsx');
  const says = async (tools: string[], before = 'true') => {
    const links = tools.map((tool) => `ln -sf "$(command -v ${tool})" /run/tools/`).join('; ');
    const argv = `exec ${process.execPath} --import ${tsx} --input-type=module -e "$1"`;
    const text = `rm -rf /run/tools; mkdir -p /run/tools; ${links}; ${before}; PATH=/run/tools; ${argv}`;
    const { stdout, stderr } = await host.run(['sh', '-c', text, 'sh', script]);
    assert.notEqual(stdout, '', stderr);
    return stdout.trim();
  };
  assert.match(await says(['ip']), /^TOOL_MISSING --password needs 'wg'; .*wireguard-tools/);
  assert.match(
    await says(['ip', 'wg']),
    /^TOOL_MISSING --password: the kernel of this host has no WireGuard .*, and wireguard-go, .*is not installed/,
  );
  assert.equal(await says(['ip', 'wg', 'wireguard-go']), 'can');
  const without = 'mount -t tmpfs none /dev/net';
  assert.match(await says(['ip', 'wg', 'wireguard-go'], without), /^TOOL_MISSING .*needs \/dev\/net\/tun/);
});

test("the rules against cleartext don't need /etc/protocols", async () => {
  await using underlay = await Underlay.create();
  await using node = await Node.create(underlay, 1, { mtu: 1370, trustedSubnets: ['10.250.0.3/32'] });
  await node.host.runOk(['mount', '--bind', '/dev/null', '/etc/protocols']);
  await node.start();
  assert.match(await node.host.runOk(['ip', 'rule']), /6785:.*ipproto \S+ dport 6783-6784 unreachable/);
  await node.call('stop');
});
