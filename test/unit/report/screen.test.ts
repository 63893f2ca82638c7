import assert from 'node:assert/strict';
import test from 'node:test';
import { healthOf } from '../../../src/report/health.ts';
import type { Report } from '../../../src/report/report.ts';
import { screen } from '../../../src/report/screen.ts';
import { condition, report } from '../cli/support.ts';

const around = { attached: 2, others: [], dockerHost: 'unix:///var/run/weave/weave.sock' };

function show(of: Report, beside: Partial<Parameters<typeof healthOf>[1]> = {}): string {
  const now = new Date(Date.parse(condition.Since) + 65 * 60_000);
  return screen(healthOf(of, { ...around, ...beside }), { columns: 72, colors: false, now }).join('\n');
}

test('a healthy host', () => {
  assert.equal(
    show(report),
    `weavets 2.8.1 on host1: all is well

  ok  containers  2 attached
  ok  addresses   2 in use here, of 10.32.0.0/12
  ok  names       2 in weave.local, answered at 172.17.0.1:53
  --  this host   takes no part itself; to have an address and the
                  names: weavets expose
  --  hosts       this one is alone
  ok  proxy       unix:///var/run/weave/weave.sock; this shell uses it`,
  );
});

test('what is wrong stands beside what to do', () => {
  const [own] = report.Router.Peers;
  const bad = {
    Address: '10.0.0.2:6784',
    Outbound: true,
    State: 'retrying',
    Info: 'vxlan h2(host2)',
  } as const;
  const text = show(
    {
      ...report,
      Router: {
        ...report.Router,
        Peers: [own as NonNullable<typeof own>, own as NonNullable<typeof own>],
        Connections: [bad],
      },
      Host: { Exposed: ['10.32.0.9/12'], NamesBy: 'hosts-file', Advice: null },
      Proxy: null,
      Conditions: [condition],
    },
    { others: ['a', 'b', 'c', 'd', 'e', 'f'] },
  );
  assert.match(text, /^weavets 2\.8\.1 on host1: 1 thing to do\n/);
  assert.match(text, / ok {2}containers {2}2 attached; 6 not: a, b, c, d, e, …/);
  assert.match(
    text,
    / !! {2}hosts {7}0 of 1 others reached\n {2}!! {14}retrying: vxlan h2\(host2\), at 10\.0\.0\.2:6784/,
  );
  assert.match(text, / ok {2}this host {3}10\.32\.0\.9\/12; it finds names by \/etc\/hosts/);
  assert.match(text, / -- {2}proxy {7}off/);
  assert.match(
    text,
    /\n\nWhat to do:\n {2}1\. the route 10\.40\.0\.0\/16 overlaps the range \(since [\d:]+, 1 h ago\)$/,
  );
});

test('an unreachable host is not ok, even if nothing else is wrong', () => {
  const Peers = [...report.Router.Peers, ...report.Router.Peers];
  assert.match(show({ ...report, Router: { ...report.Router, Peers } }), /: not all is well\n/);
});

test('not ready, and an engine that does not tell', () => {
  const text = show({ ...report, Ready: false, DNS: null, IPAM: null }, { others: null });
  assert.match(text, /: not all is well\n\n {2}!! {2}start /);
  assert.match(text, /of others the engine tells nothing now/);
});

test('colors are for terminals that have them', () => {
  const health = healthOf(report, around);
  const [title = ''] = screen(health, { columns: 80, colors: true, now: new Date() });
  assert.ok(title.endsWith('\x1b[32mall is well\x1b[0m'), title);
});
