import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import test from 'node:test';
import { commands } from '../../../src/cli/commands.ts';
import { topics } from '../../../src/cli/help/topics.ts';
import { isLasting, WeaveError } from '../../../src/lib/errors.ts';
import { weavets } from './support.ts';

test('every command has help with its description, its options and an example', async () => {
  for (const command of commands) {
    const { code, out, err } = await weavets([command.name, '--help']);
    assert.deepEqual([code, err], [0, ''], command.name);
    // yargs breaks lines at 80 columns.
    const flat = out.replace(/\s+/g, ' ');
    assert.ok(flat.startsWith(`weavets ${command.name}`), command.name);
    assert.ok(flat.includes(command.about), command.name);
    for (const option of Object.keys(command.options ?? {})) assert.match(flat, new RegExp(`-${option}\\b`));
    for (const [commandLine] of command.examples) {
      assert.ok(out.includes(`  ${commandLine}\n`), commandLine);
    }
  }
});

test('help lists every command, and all its spellings agree', async () => {
  const { code, out } = await weavets(['help']);
  assert.equal(code, 0);
  for (const { name } of commands) assert.match(out, new RegExp(`^  weavets ${name} `, 'm'));
  assert.equal((await weavets(['--help'])).out, out);
  assert.equal((await weavets(['-h'])).out, out);
  assert.equal((await weavets(['help', 'ps'])).out, (await weavets(['ps', '--help'])).out);
});

test('every topic has its page, and every page its topic', async () => {
  const pages = (await readdir(new URL('../../../docs/topics/', import.meta.url))).map(
    (name) => `docs/topics/${name}`,
  );
  assert.deepEqual(Object.values(topics).toSorted(), [...pages, 'docs/errors.md'].toSorted());
  for (const topic of Object.keys(topics)) {
    const { code, out, err } = await weavets(['help', topic]);
    assert.deepEqual([code, err], [0, ''], topic);
    assert.match(out, /^[A-Z ]+\n\n/);
  }
});

test('version', async () => {
  const { out } = await weavets(['version']);
  assert.match(out, /^weavets \d+\.\d+\.\d+\n$/);
  assert.equal((await weavets(['--version'])).out, out);
});

test('usage errors: usage on standard error, nothing on standard output, exit 1', async () => {
  const cases: [argv: string[], err: RegExp][] = [
    [[], /^weavets: name a command \(USAGE\)\nusage: weavets COMMAND/],
    [['lauch'], /^weavets: unknown command 'lauch'; did you mean 'launch'\? \(USAGE\)\nusage: /],
    [['frobnicate'], /^weavets: unknown command 'frobnicate' \(USAGE\)\n/],
    [['help', 'statsu'], /did you mean 'status'/],
    [['help', 'adresses'], /no command or topic 'adresses'; did you mean 'addresses'/],
    [['help', 'ps', '--man'], /give one command or topic, or --man/],
    [['completion'], /name one shell: bash, zsh, fish/],
    [['completion', 'tcsh'], /name one shell: bash, zsh, fish/],
    [['uninstall'], /there is no terminal to ask on; .*--force/],
    [['expose', '-h', 'a b'], /-h: 'a b' is not a name/],
    [
      ['env', '--restor'],
      /^weavets: unknown flag '--restor'; did you mean '--restore'\? \(USAGE\)\nusage: weavets env/,
    ],
    [['ps', '-x'], /^weavets: unknown flag '-x' \(USAGE\)/],
    [['launch', '--no-dsn'], /unknown flag '--no-dsn'; did you mean '--no-dns'/],
    [['launch', '--name'], /Not enough arguments following: name/],
    [['stop', 'now'], /^weavets: unexpected 'now' \(USAGE\)/],
    [['status', 'pears'], /no status of 'pears'; did you mean 'peers'/],
    [['attach'], /name the container/],
    [['attach', '10.2.3.4', 'c1'], /cannot use '10\.2\.3\.4' as a container's address.*\(BAD_WEAVE_CIDR\)/],
    [['attach', '--add-host', 'x', 'c1'], /--add-host: 'x' is not of the form NAME:IP/],
    [['dns-add', '10.2.3.4'], /addresses without a container need a name: -h FQDN/],
    [['dns-add', 'x', 'c1'], /'x' is not an IPv4 address/],
    [['dns-lookup'], /give one name/],
    [['connect'], /name a peer/],
    [['connect', 'a:b'], /'a:b' is not a peer/],
    [['forget', '10.0.0.1:99999'], /is not a peer/],
    [['ps', '--why', 'c1'], /--why lists every container/],
    [['env', '--shell', 'tcsh'], /--shell: 'tcsh' is not one of bash, fish, powershell/],
    [['report', '-f', '{{.X'], /template: /],
  ];
  for (const [argv, err] of cases) {
    const outcome = await weavets(argv);
    assert.deepEqual([outcome.code, outcome.out], [1, ''], argv.join(' '));
    assert.match(outcome.err, err);
  }
});

test('for a service, a start that fails until somebody mends it exits as systemd is told', async () => {
  const wrong = ['launch', '--dns-ttl', 'soon'];
  assert.equal((await weavets([...wrong, '--foreground'])).code, 78);
  assert.equal((await weavets(wrong)).code, 1);
  for (const code of ['ENGINE_UNREACHABLE', 'STORE_UNAVAILABLE', 'ETCD_FAILED', 'DNS_PORT_BUSY'] as const)
    assert.ok(!isLasting(code), code);
});

test('an error of the daemon: message and code; with --json as JSON', async () => {
  const answers = {
    ps: () => {
      throw new WeaveError('NO_SUCH_CONTAINER', 'no container is called c1');
    },
  };
  assert.deepEqual(await weavets(['ps', 'c1'], { answers }), {
    code: 1,
    out: '',
    err: 'weavets: no container is called c1 (NO_SUCH_CONTAINER)\n',
  });
  assert.deepEqual(await weavets(['ps', 'c1', '--json'], { answers }), {
    code: 1,
    out: '',
    err: '{"code":"NO_SUCH_CONTAINER","message":"no container is called c1"}\n',
  });
});

test('without a daemon, commands fail and print nothing on standard output', async () => {
  for (const argv of [['env'], ['config'], ['ps'], ['status'], ['dns-args'], ['report'], ['attach', 'c1']]) {
    const { code, out, err } = await weavets(argv);
    assert.deepEqual([code, out, err], [1, '', 'weavets: weavets is not running (NOT_RUNNING)\n'], argv[0]);
  }
});
