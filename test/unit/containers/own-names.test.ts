import assert from 'node:assert/strict';
import test from 'node:test';
import { OwnNames } from '../../../src/containers/own-names.ts';

const options = {
  hostnameFromLabel: null,
  hostnameMatch: '(.*)',
  hostnameReplacement: '$1',
  dnsDomain: 'weave.local.',
};
const made = new Map<string, string>();
const names = new OwnNames(options, made);
const container = { id: 'c', name: 'web', hostname: 'c0ffee', domainname: '', labels: {}, hostUts: false };
const of = (fields: Partial<typeof container>) => names.of({ ...container, ...fields });

test('a container is called by its hostname and by its name', () => {
  for (const [fields, ...hostnames] of [
    [{}, 'c0ffee', 'web'],
    [{ hostname: 'web.weave.local' }, 'web'],
    [{ hostname: 'Web.Weave.Local', name: 'WEB' }, 'web'],
    [{ hostname: 'xx', domainname: '' }, 'xx', 'web'],
    [{ hostname: 'xx.example.test', domainname: 'example.test' }, 'xx.example.test', 'xx', 'web'],
    [{ hostname: 'web.v1.weave.local', name: 'web.v1' }, 'web.v1'],
    [{ hostname: 'host1', hostUts: true }, 'web'],
    [{ hostname: '', name: 'n'.repeat(63) }, 'n'.repeat(63)],
  ] as const) {
    const wanted = hostnames.map((name) => `${name}.weave.local.`);
    assert.deepEqual(of(fields), { hostnames: wanted, services: [], renamed: undefined, problems: [] });
  }
});

test('a hostname derived from the name follows it; one that was given stays', () => {
  made.set('c', 'old.weave.local');
  const { hostnames, renamed } = of({ hostname: 'old.weave.local' });
  assert.deepEqual(hostnames, ['web.weave.local.']);
  assert.equal(renamed, 'web.weave.local');
  assert.equal(of({ hostname: 'old.weave.local', name: 'old' }).renamed, undefined);
  made.clear();
  assert.deepEqual(of({ hostname: 'old.weave.local' }).hostnames, ['old.weave.local.', 'web.weave.local.']);
});

test("a replica of a service has the service's name, and a one-off run of it has not", () => {
  const label = (name: string) => `com.docker.compose.${name}`;
  const labels = { [label('project')]: 'Shop', [label('service')]: 'web.v1' };
  assert.deepEqual(of({ labels }).services, ['web.v1.shop.weave.local.']);
  assert.deepEqual(of({ labels: { ...labels, [label('oneoff')]: 'True' } }).services, []);
  assert.deepEqual(of({ labels: { [label('service')]: 'web' } }).services, []);
  assert.deepEqual(of({ labels: { ...labels, [label('service')]: 'a b' } }).services, []);
});

test('reports a name that is impossible in DNS', () => {
  for (const name of ['n'.repeat(64), 'a..b']) {
    const { hostnames, problems } = of({ hostname: '', name });
    assert.deepEqual(hostnames, []);
    assert.match(problems.join(), new RegExp(`^${name} can't be a name in DNS`));
  }
});
