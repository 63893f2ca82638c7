import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createCluster } from '../../src/etcd/create.ts';
import { EtcdMember } from '../../src/etcd/member-process.ts';
import { etcdVotersRecord } from '../../src/store/records/etcd.ts';
import { hasValue, type MemberDaemon, MemberLab, put, settled } from '../support/member-lab.ts';
import { until } from '../support/until.ts';

let lab: MemberLab;
before(() => {
  lab = new MemberLab();
});
after(() => lab?.[Symbol.asyncDispose]());

/** A power cut: neither its daemon nor its etcd is left. */
async function lose(...lost: readonly MemberDaemon[]): Promise<void> {
  await Promise.all(lost.map((each) => each.stop()));
  const members = await Promise.all(lost.map(({ folder }) => EtcdMember.find(folder)));
  for (const member of members) process.kill((member ?? assert.fail('it has no etcd')).pid, 'SIGKILL');
  for (const member of members) await until('its etcd has ended', () => !member?.alive);
}

/** The numbers of the hosts that a host goes to. */
const voters = ({ steward }: MemberDaemon) =>
  steward
    .state()
    .members.filter(({ learner }) => !learner)
    .map(({ address }) => Number(address.split('.')[3]))
    .sort();

test('told so, five of five hosts vote', async () => {
  const one = lab.daemon(1);
  await createCluster(one.options);
  await one.start();
  for (const number of [2, 3]) await lab.daemon(number).join(one);
  await settled(one, 'v1 v2 v3');
  const { key, value } = etcdVotersRecord.write('voters', 5);
  await put(one, key, value ?? '');
  const four = lab.daemon(4);
  await four.join(one);
  await lab.daemon(5).join(one);
  await settled(one, 'v1 v2 v3 v4 v5');
  await until('every host goes to all five', () => lab.daemons.every((each) => voters(each).length === 5));
});

test('two of them are lost at once: each of the others writes on, and those that answer vote', async () => {
  const [one, two, three, four, five] = lab.daemons as [
    MemberDaemon,
    MemberDaemon,
    MemberDaemon,
    MemberDaemon,
    MemberDaemon,
  ];
  // The one that leads etcd's members among them, as far as that is the oldest.
  await lose(one, four);
  for (const each of [two, three, five]) await put(each, `by/${each.name}`, 'without two');
  for (const each of [two, three, five]) await hasValue(each, `by/${two.name}`, 'without two');
  await settled(two, 'v2 v3 v5');
});

test('one of the lost is replaced by a new host, the other comes back, with all that was written meanwhile', async () => {
  const [, two, three] = lab.daemons as [MemberDaemon, MemberDaemon, MemberDaemon];
  const six = lab.daemon(6);
  await six.join(two);
  const again = lab.daemon(4);
  await again.start();
  await settled(two, 'v2 v3 v4 v5 v6');
  await hasValue(again, `by/${three.name}`, 'without two');
  await put(again, 'x', 'by who came back');
  await hasValue(six, 'x', 'by who came back');
});
