import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { commands } from '../../src/cli/commands.ts';
import { repository, weavets } from '../support/host.ts';
import { useHost } from '../support/use-host.ts';

const readme = readFileSync(join(repository, 'README.md'), 'utf8');
const commandsPage = readFileSync(join(repository, 'docs/commands.md'), 'utf8');

const host = useHost();

const path = `${dirname(weavets)}:${process.env.PATH}`;
const shell = (script: string) => host.shell(script, { env: { PATH: path, DOCKER_HOST: undefined } });

/** Normalises what differs from run to run. */
function shape(text: string): string {
  return (
    text
      .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
      .replaceAll(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, 'MAC')
      .replaceAll(/^\d+: ethwe@if\d+: <\S+>/gm, 'N: ethwe@ifN: <FLAGS>')
      .replaceAll(/(time=|= )[0-9./]+ ms/g, '$1T ms')
      .replaceAll(/(link\/ether MAC) brd MAC/g, '$1')
      // Today's engine leaves IPv6 on, and so its own address of the link.
      .replaceAll(/^ +inet6 fe80::.*\n.*valid_lft.*\n?/gm, '')
      .replaceAll(/ +$/gm, '')
      .trim()
  );
}

test("the README's transcript", async () => {
  const block = /```console\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const commands = block
    .split(/^# /m)
    .slice(1)
    .map((part) => part.split(/\n([\s\S]*)/) as [string, string]);
  assert.ok(commands.length >= 8);
  assert.equal((await shell('weavets launch')).code, 0);
  let script = '';
  for (const [i, [command]] of commands.entries()) script += `echo "--${i}--"; ${command}\n`;
  const { code, stdout, stderr } = await shell(script);
  assert.equal(code, 0, stderr);
  const outputs = stdout.split(/^--\d+--$/m).slice(1);
  for (const [i, [command, expected = '']] of commands.entries()) {
    assert.equal(shape(outputs[i] ?? ''), shape(expected), command);
  }
});

const joinLine = /^weavets launch --join WVTS-1-\w{50}-\w{25}@10\.250\.0\.1\n$/;

/** The command to type for a row of the table, if it differs, and how to check its effect. Run in this order. */
const rows: Record<string, { typed?: string; shows: (stdout: string) => unknown }> = {
  'weavets setup': { shows: (stdout) => assert.equal(stdout, '') },
  'weavets launch': { shows: (stdout) => assert.match(stdout, /^\d+\n$/) },
  'weavets env': {
    typed:
      'eval $(weavets env); docker run -d --name c1 busybox sleep 100000 >/dev/null; docker exec c1 hostname',
    shows: (stdout) => assert.equal(stdout, 'c1.weave.local\n'),
  },
  'weavets env --restore': {
    typed: 'eval $(weavets env); eval $(weavets env --restore); echo ${DOCKER_HOST-unset}',
    shows: (stdout) => assert.equal(stdout, 'unset\n'),
  },
  'weavets config': {
    typed: 'docker $(weavets config) run --rm busybox ip addr',
    shows: (stdout) => assert.match(stdout, /inet 10\.32\.0\.2\/12 .* ethwe/),
  },
  'weavets status': {
    typed: 'weavets status; for topic in dns ipam peers connections targets; do weavets status $topic; done',
    shows: (stdout) =>
      assert.match(stdout, /Service: router[\s\S]*Service: proxy[\s\S]*\nc1 +10\.32\.0\.1 .*\n.* IPs \(100/),
  },
  'weavets ps': {
    typed: 'weavets ps; weavets ps c1',
    shows: (stdout) => assert.match(stdout, /^weave:expose \S+\n(\S+ \S+ 10\.32\.0\.1\/12\n){2}$/),
  },
  'weavets ps --why': {
    typed: 'docker run -d --name c2 busybox sleep 100000 >/dev/null; weavets ps --why',
    shows: (stdout) => {
      assert.match(stdout, / c1 +attached +10\.32\.0\.1\/12$/m);
      assert.match(stdout, / c2 +not attached +it was not created through the proxy/);
    },
  },
  'weavets report': {
    typed: "weavets report | head -2; weavets report -f '{{.IPAM.Range}}'",
    shows: (stdout) => assert.equal(stdout, '{\n    "Ready": true,\n10.32.0.0/12\n'),
  },
  'weavets doctor': { shows: (stdout) => assert.match(stdout, /^ok +tools +every/) },
  'weavets doctor A B': {
    typed: 'weavets doctor c1 c1',
    shows: (stdout) => assert.match(stdout, /^ok +c1: name +c1\.weave\.local/),
  },
  'weavets attach C': {
    typed: 'weavets attach c2; docker exec c2 ip -o -4 addr show ethwe',
    shows: (stdout) => assert.match(stdout, /^(10\.32\.0\.\d+)\n.* inet \1\/12 /),
  },
  'weavets detach C': {
    typed: 'weavets detach c2; docker exec c2 ip link',
    shows: (stdout) => assert.match(stdout, /^10\.32\.0\.\d+\n((?!ethwe)[\s\S])*$/),
  },
  'weavets expose': {
    typed: 'weavets expose; busybox ping -c 1 -W 5 10.32.0.1',
    shows: (stdout) => assert.match(stdout, /^10\.32\.0\.\d+\n[\s\S]* 0% packet loss/),
  },
  'weavets hide': {
    typed: 'weavets hide; ip -4 addr show weave scope global',
    shows: (stdout) => assert.match(stdout, /^10\.32\.0\.\d+\n$/),
  },
  'weavets dns-add C -h NAME': {
    typed: 'weavets dns-add c1 -h db.weave.local; docker exec c1 nslookup db.weave.local',
    shows: (stdout) => assert.match(stdout, /Address.*: 10\.32\.0\.1$/m),
  },
  'weavets dns-lookup NAME': {
    typed: 'weavets dns-lookup db',
    shows: (stdout) => assert.equal(stdout, '10.32.0.1\n'),
  },
  'weavets dns-remove C -h NAME': {
    typed: 'weavets dns-remove c1 -h db.weave.local; weavets dns-lookup db; weavets dns-lookup c1',
    shows: (stdout) => assert.equal(stdout, '10.32.0.1\n'),
  },
  'weavets dns-args': {
    typed: 'docker run --rm $(weavets dns-args) busybox ping -c 1 -W 5 c1 | head -1',
    // Found by name; only attached containers can reach it.
    shows: (stdout) => assert.match(stdout, /^PING c1 \(10\.32\.0\.1\)/),
  },
  'weavets docker-bridge-ip': { shows: (stdout) => assert.equal(stdout, '172.17.0.1\n') },
  'weavets prime': { shows: (stdout) => assert.equal(stdout, '') },
  'weavets connect HOST': {
    typed: 'weavets connect host9 2>&1 || true',
    shows: (stdout) => assert.match(stdout, /to join host9 this host must show that it may/),
  },
  'weavets forget HOST': { typed: 'weavets forget host9', shows: (stdout) => assert.equal(stdout, '') },
  'weavets cluster init': { shows: (stdout) => assert.match(stdout, joinLine) },
  'weavets cluster token': { shows: (stdout) => assert.match(stdout, joinLine) },
  'weavets cluster join TOKEN@HOST': {
    typed: 'weavets cluster join $(weavets cluster token | cut -d" " -f4) 2>&1 || true',
    shows: (stdout) => assert.match(stdout, /this host is part of a cluster already/),
  },
  'weavets cluster status': { shows: (stdout) => assert.match(stdout, /^host1 \* .* ready +leader /m) },
  'weavets cluster backup FILE': {
    typed: 'weavets cluster backup /root/backup 2>&1',
    shows: (stdout) => assert.match(stdout, /^\/root\/backup: \d+ bytes\n$/),
  },
  'weavets cluster restore FILE': {
    typed:
      'weavets stop; weavets cluster restore --force /root/backup; weavets launch >/dev/null; weavets ps c1',
    shows: (stdout) => assert.match(stdout, / 10\.32\.0\.1\/12\n$/),
  },
  'weavets cluster remove HOST': {
    typed: 'weavets cluster remove host9 2>&1 || true',
    shows: (stdout) => assert.match(stdout, /no host of the cluster is called host9; .* \(USAGE\)\n/),
  },
  'weavets cluster leave': {
    typed: 'weavets cluster leave; weavets launch >/dev/null; weavets ps c1',
    shows: (stdout) => assert.match(stdout, / 10\.32\.0\.1\/12\n$/),
  },
  'weavets rmpeer HOST': {
    typed: 'weavets rmpeer host9',
    shows: (stdout) => assert.equal(stdout, '0 IPs taken over from host9\n'),
  },
  'weavets stop': {
    typed: 'weavets stop; weavets status || echo "not running"; docker exec c1 ip -4 -o addr show ethwe',
    shows: (stdout) => assert.match(stdout, /^not running\n.* inet 10\.32\.0\.1\/12 /),
  },
  'weavets reset': {
    typed: 'weavets reset; ip link show weave || docker inspect -f "{{.State.Running}}" c1',
    shows: (stdout) => assert.equal(stdout, 'true\n'),
  },
  'weavets install-service': {
    typed: 'weavets install-service --write; weavets install-service',
    shows: (stdout) =>
      assert.match(stdout, /^\/etc\/systemd\/system\/weavets\.socket\n[\s\S]*\[Socket\][\s\S]*\[Service\]/),
  },
  'weavets completion SHELL': {
    typed: 'for shell in bash zsh fish; do weavets completion $shell | head -c 9; done',
    shows: (stdout) => assert.match(stdout, /^# bash co#compdef # fish co$/),
  },
  'weavets uninstall': {
    typed: 'weavets uninstall --force; ls /etc/systemd/system/weavets.* || true',
    shows: (stdout) =>
      assert.match(
        stdout,
        /^removed \/etc\/systemd\/system\/weavets\.socket\nremoved [^\n]*service\nremoved \/etc\/default\/weavets\n$/,
      ),
  },
  'weavets help': {
    typed: 'weavets help; weavets help addresses; weavets help --man',
    shows: (stdout) => assert.match(stdout, /weavets launch[\s\S]*\nADDRESSES\n[\s\S]*\n\.TH WEAVETS/),
  },
  'weavets version': { shows: (stdout) => assert.match(stdout, /^weavets \d+\.\d+\.\d+\n$/) },
};

test('each row of the command table works as described, and each command has one', async () => {
  const table = [...commandsPage.matchAll(/^\| `(weavets [^`]+)` \| .+ \|$/gm)].map(([, row = '']) => row);
  assert.deepEqual(table, Object.keys(rows));
  const named = new Set(table.map((row) => row.split(' ')[1]));
  assert.deepEqual([...named].toSorted(), commands.map(({ name }) => name).toSorted());
  await shell('weavets reset; docker rm -f $(docker ps -aq)');
  for (const [row, { typed = row, shows }] of Object.entries(rows)) {
    const { code, stdout, stderr } = await shell(typed);
    assert.equal(code, 0, `${row}: ${stdout}${stderr}`);
    shows(stdout);
  }
});

test('choosing addresses works as shown', async () => {
  assert.equal((await shell('weavets launch')).code, 0);
  const examples = [...readme.matchAll(/^ {4}docker run -e (WEAVE_CIDR=\S+) …/gm)].map(
    ([, setting = '']) => setting,
  );
  assert.equal(examples.length, 3);
  for (const setting of examples) {
    const { code, stdout } = await shell(
      `eval $(weavets env); docker run --rm -e ${setting} busybox ip -4 addr`,
    );
    assert.equal(code, 0);
    const wanted = setting.includes('net:') ? '10.32.9.1/24' : setting.split('=')[1];
    assert.equal(stdout.includes('ethwe'), !setting.endsWith('none'), setting);
    if (!setting.endsWith('none')) assert.ok(stdout.includes(`${wanted} `), stdout);
  }
});
