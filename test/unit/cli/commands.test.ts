import assert from 'node:assert/strict';
import test from 'node:test';
import { type Answers, condition, report, weavets } from './support.ts';

const longId = 'c3414fa41f61860e3e8f0a6e1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e';

/** Runs a command line, and asserts its calls to the daemon and its output. */
async function asks(argv: string[], asked: unknown, answers: Answers, out: string): Promise<void> {
  const inputs: unknown[] = [];
  const recorded = Object.entries(answers).map(([operation, answer]) => [
    operation,
    (input: never) => {
      inputs.push({ [operation]: input });
      return answer(input);
    },
  ]);
  const outcome = await weavets(argv, { answers: Object.fromEntries(recorded) });
  assert.deepEqual(outcome, { code: 0, out, err: '' }, argv.join(' '));
  assert.deepEqual(inputs, [asked], argv.join(' '));
}

const two = () => ({ addresses: ['10.2.1.1', '10.2.2.1'] });
const exposed = () => ({ ...two(), note: null });
const none = () => ({ addresses: [] });
const nothing = () => ({});

test('attach and detach', async () => {
  const plain = {
    container: 'c1',
    requests: [],
    rewriteHosts: false,
    addHosts: [],
    multicastRoute: true,
    dns: true,
  };
  await asks(['attach', 'c1'], { attach: plain }, { attach: two }, '10.2.1.1 10.2.2.1\n');
  await asks(
    ['attach', '10.2.1.1/24', 'net:10.2.2.0/24', 'net:default', 'c1'],
    { attach: { ...plain, requests: ['10.2.1.1/24', 'net:10.2.2.0/24', 'net:default'] } },
    { attach: two },
    '10.2.1.1 10.2.2.1\n',
  );
  await asks(
    [
      'attach',
      '--rewrite-hosts',
      '--add-host',
      'a:10.0.0.1',
      '--add-host=b:10.0.0.2',
      '--no-multicast-route',
      '--without-dns',
      'c1',
    ],
    {
      attach: {
        ...plain,
        rewriteHosts: true,
        addHosts: ['a:10.0.0.1', 'b:10.0.0.2'],
        multicastRoute: false,
        dns: false,
      },
    },
    { attach: two },
    '10.2.1.1 10.2.2.1\n',
  );
  // An id that looks like a number stays what it is.
  await asks(
    ['attach', '1e10'],
    { attach: { ...plain, container: '1e10' } },
    { attach: two },
    '10.2.1.1 10.2.2.1\n',
  );
  await asks(['detach', 'c1'], { detach: { container: 'c1', requests: [] } }, { detach: none }, '');
});

test('expose and hide', async () => {
  await asks(
    ['expose'],
    { expose: { requests: [], fqdn: null, masquerade: true, hostsFile: false } },
    { expose: exposed },
    '10.2.1.1 10.2.2.1\n',
  );
  await asks(
    ['expose', '10.2.1.1/24', '-h', 'x.weave.local', '--without-masquerade', '--hosts-file'],
    { expose: { requests: ['10.2.1.1/24'], fqdn: 'x.weave.local', masquerade: false, hostsFile: true } },
    { expose: exposed },
    '10.2.1.1 10.2.2.1\n',
  );
  await asks(['hide', 'net:default'], { hide: { requests: ['net:default'] } }, { hide: none }, '');
});

test('dns-add, dns-remove, dns-lookup, dns-args', async () => {
  for (const [argv, input] of [
    [['c1'], { container: 'c1', ips: [], fqdn: null }],
    [['10.2.1.1', '10.2.1.2', 'c1'], { container: 'c1', ips: ['10.2.1.1', '10.2.1.2'], fqdn: null }],
    [['c1', '-h', 'a.weave.local'], { container: 'c1', ips: [], fqdn: 'a.weave.local' }],
    [['10.2.1.1', '-h=a.weave.local'], { container: null, ips: ['10.2.1.1'], fqdn: 'a.weave.local' }],
  ] as const) {
    await asks(['dns-add', ...argv], { dnsAdd: input }, { dnsAdd: nothing }, '');
    await asks(['dns-remove', ...argv], { dnsRemove: input }, { dnsRemove: nothing }, '');
  }
  await asks(['dns-lookup', 'c1'], { dnsLookup: { name: 'c1' } }, { dnsLookup: two }, '10.2.1.1\n10.2.2.1\n');
  await asks(['dns-lookup', 'c1'], { dnsLookup: { name: 'c1' } }, { dnsLookup: none }, '');
  const args = ['--dns=172.17.0.1', '--dns-search=weave.local.'];
  await asks(['dns-args'], { dnsArgs: {} }, { dnsArgs: () => ({ args }) }, `${args.join(' ')}\n`);
  await asks(['dns-args'], { dnsArgs: {} }, { dnsArgs: () => ({ args: [] }) }, '');
});

test('peers', async () => {
  await asks(
    ['connect', 'h2', '10.0.0.3:6783'],
    { connect: { peers: ['h2', '10.0.0.3:6783'], replace: false } },
    { connect: nothing },
    '',
  );
  await asks(['connect', '--replace'], { connect: { peers: [], replace: true } }, { connect: nothing }, '');
  await asks(['forget', 'h2'], { forget: { peers: ['h2'] } }, { forget: nothing }, '');
  await asks(
    ['rmpeer', 'h2'],
    { rmpeer: { peers: ['h2'], force: false } },
    { rmpeer: () => ({ lines: ['8 IPs'] }) },
    '8 IPs\n',
  );
  await asks(['prime'], { prime: {} }, { prime: nothing }, '');
});

test('ps', async () => {
  const ps = () => [
    { id: 'weave:expose', name: 'weave:expose', mac: '0e:1d:12:1a:1a:88', cidrs: [] },
    { id: longId, name: 'bbox1', mac: 'c2:5b:c8:27:61:01', cidrs: ['10.32.0.1/12', '10.2.1.1/24'] },
  ];
  await asks(
    ['ps'],
    { ps: { containers: [] } },
    { ps },
    'weave:expose 0e:1d:12:1a:1a:88\nc3414fa41f61 c2:5b:c8:27:61:01 10.32.0.1/12 10.2.1.1/24\n',
  );
  await asks(['ps', 'c1'], { ps: { containers: ['c1'] } }, { ps: () => [] }, '');
  await asks(['ps', '--json'], { ps: { containers: [] } }, { ps }, `${JSON.stringify(ps(), null, 2)}\n`);
});

test('ps --why', async () => {
  const why = () => [
    { id: longId, name: 'bbox1', attached: true, reason: '10.32.0.1/12', warnings: ['it shares its name'] },
    { id: longId.replace('c', 'd'), name: 'db', attached: false, reason: 'WEAVE_CIDR=none', warnings: [] },
  ];
  const out =
    'c3414fa41f61  bbox1  attached      10.32.0.1/12; it shares its name\nd3414fa41f61  db     not attached  WEAVE_CIDR=none\n';
  assert.deepEqual(await weavets(['ps', '--why'], { answers: { why, report: () => report } }), {
    code: 0,
    out,
    err: '',
  });
  const wrong = { ...report, Conditions: [condition] };
  assert.deepEqual(await weavets(['ps', '--why'], { answers: { why, report: () => wrong } }), {
    code: 0,
    out,
    err: `warning: ${condition.Text}\n`,
  });
});

test('config and report', async () => {
  await asks(['config'], { report: {} }, { report: () => report }, '-H=unix:///var/run/weave/weave.sock\n');
  await asks(['report'], { report: {} }, { report: () => report }, `${JSON.stringify(report, null, 4)}\n`);
  await asks(['report', '-f', '{{.DNS.Domain}}'], { report: {} }, { report: () => report }, 'weave.local.\n');
});

test('config without a proxy says so', async () => {
  const outcome = await weavets(['config'], { answers: { report: () => ({ ...report, Proxy: null }) } });
  assert.deepEqual(outcome, {
    code: 1,
    out: '',
    err: 'weavets: the proxy is off; launch weavets without --proxy=false (NOT_RUNNING)\n',
  });
});
