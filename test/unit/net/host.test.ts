import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { runOk } from '../../../src/lib/exec.ts';

const source = join(dirname(fileURLToPath(import.meta.url)), '../../../src/net/host.ts');

/** Makes links in a network namespace of its own, and prints what is seen of them there. */
const script = `
const { execFileSync } = await import('node:child_process');
const { addressOf, outsideLinks, readNetwork } = await import(${JSON.stringify(source)});
const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8' });
execFileSync('mount', ['-t', 'sysfs', 'sysfs', '/sys']);
ip('link', 'set', 'lo', 'up');
for (const name of ['plain', 'low', 'two']) ip('link', 'add', name, 'type', 'veth', 'peer', 'name', name + 'x');
ip('link', 'add', 'inner', 'type', 'bridge');
ip('link', 'add', 'vethin', 'master', 'inner', 'type', 'veth', 'peer', 'name', 'vethinx');
ip('addr', 'add', '10.1.0.1/24', 'dev', 'low');
ip('addr', 'add', '10.2.0.1/24', 'dev', 'two');
ip('addr', 'add', '10.3.0.1/32', 'dev', 'two');
ip('addr', 'add', '10.4.0.1/24', 'dev', 'inner');
for (const name of ['plain', 'two', 'inner']) ip('link', 'set', name, 'up');
const of = (links) => links.map(({ ifname, mtu, addr_info }) => [ifname, mtu, addr_info.map(({ local, scope }) => local + ' ' + scope)]).sort();
const network = await readNetwork();
const listed = JSON.parse(ip('-4', '-json', 'addr', 'show', 'up')).filter(({ addr_info }) => addr_info?.length);
console.log(JSON.stringify({
  seen: of(network.links), listed: of(listed), outside: outsideLinks(network),
  addresses: await Promise.all(['low', 'two', 'plain', 'none'].map(addressOf)),
}));
`;

test('links with an IPv4 address are seen as ip lists them, and which of them lead outside', async () => {
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
  const found = JSON.parse(await runOk(['unshare', '--net', '--mount', ...node], { script: true }));
  assert.deepEqual(found.seen, found.listed);
  assert.deepEqual(
    found.seen.map(([name]: string[]) => name),
    ['inner', 'lo', 'two'],
  );
  assert.deepEqual(found.outside, ['two']);
  // Down or not; null: none.
  assert.deepEqual(found.addresses, ['10.1.0.1', '10.2.0.1', null, null]);
});
