import assert from 'node:assert/strict';
import test from 'node:test';
import { droppedIn, sourcesAtLimit, withoutCounters } from '../../../src/net/dns-limit.ts';

const limit =
  '-A WEAVE-INPUT -d 172.17.0.1/32 -p udp -m udp --dport 53 -m hashlimit --hashlimit-above 1000/sec --hashlimit-burst 500 --hashlimit-mode srcip --hashlimit-name weave-dns -j DROP';
const saved = `*filter
:INPUT ACCEPT [12:900]
[7:1] -A INPUT -j WEAVE-INPUT
[19102:553958] ${limit}
[5:60] ${limit.replaceAll('udp', 'tcp')}
[3:40] ${limit.replace('weave-dns', 'weave-dns-other')}
COMMIT
`;

test('what the limit dropped is the sum of its rules; without counters the rules are as they were made', () => {
  assert.equal(droppedIn(saved), 19_107);
  assert.equal(droppedIn(withoutCounters(saved)), 0);
  const [, , jump, rule] = withoutCounters(saved).split('\n');
  assert.deepEqual([jump, rule], ['-A INPUT -j WEAVE-INPUT', limit]);
});

test('a source is at the limit when it has no more than a few packets left', () => {
  const buckets = `1 172.17.0.2:0->0.0.0.0:0 164256 68719476500000 137438953000
1 172.17.0.3:0->0.0.0.0:0 68719476500000 68719476500000 137438953000
`;
  assert.deepEqual(
    sourcesAtLimit(() => buckets),
    ['172.17.0.2'],
  );
  assert.deepEqual(
    sourcesAtLimit(() => ''),
    [],
  );
});
