import assert from 'node:assert/strict';
import test from 'node:test';
import { hasCode } from '../../../../src/lib/errors.ts';
import { type HostnameOptions, Hostnames } from '../../../../src/proxy/calls/hostname.ts';

const plain: HostnameOptions = {
  hostnameFromLabel: null,
  hostnameMatch: '(.*)',
  hostnameReplacement: '$1',
  dnsDomain: 'weave.local.',
};

/** The host part that a name gets, by Go's rules of expression and replacement. */
const host = (name: string, hostnameMatch: string, hostnameReplacement: string) =>
  new Hostnames({ ...plain, hostnameMatch, hostnameReplacement })
    .of(name, {})
    ?.replace(/\.weave\.local$/, '');

test('a name gets the domain', () => {
  assert.equal(new Hostnames(plain).of('bbox1', {}), 'bbox1.weave.local');
  assert.equal(new Hostnames({ ...plain, dnsDomain: 'a.b' }).of('bbox1', {}), 'bbox1.a.b');
});

test('without a name there is no hostname', () => {
  assert.equal(new Hostnames(plain).of('', {}), '');
  assert.equal(new Hostnames({ ...plain, hostnameReplacement: '$1-x' }).of('', {}), '');
});

test('a hostname has at most 64 bytes', () => {
  const room = 64 - '.weave.local'.length;
  assert.equal(new Hostnames(plain).of('n'.repeat(room), {})?.length, 64);
  assert.equal(new Hostnames(plain).of('n'.repeat(room + 1), {}), undefined);
  assert.equal(new Hostnames(plain).of('é'.repeat(room / 2 + 1), {}), undefined);
});

test('a label, if present, takes precedence over the name', () => {
  const hostnames = new Hostnames({ ...plain, hostnameFromLabel: 'host' });
  assert.equal(hostnames.of('bbox1', { host: 'web' }), 'web.weave.local');
  assert.equal(hostnames.of('', { host: 'web' }), 'web.weave.local');
  assert.equal(hostnames.of('bbox1', {}), 'bbox1.weave.local');
  assert.equal(hostnames.of('bbox1', { host: '' }), '');
  assert.equal(new Hostnames({ ...plain, hostnameFromLabel: 'constructor' }).of('a', {}), 'a.weave.local');
});

test('match and replacement work as in Go', async (t) => {
  const cases: [name: string, match: string, replacement: string, expected: string][] = [
    ['aws-12798186823-foo', '^aws-[0-9]+-(.*)$', 'my-app-$1', 'my-app-foo'],
    ['other', '^aws-[0-9]+-(.*)$', 'my-app-$1', 'other'],
    ['foo', '(.*)', '$1-x', 'foo-x'],
    ['foo-1', '(?P<app>[a-z]+)-(?P<n>\\d+)', '${n}$app', '1foo'],
    ['foo', '(fo+)', '$1x', ''],
    ['foo', '(fo+)', '${1}x', 'foox'],
    ['foo', 'f(x)?oo', 'a$1b', 'a'],
    ['foo', 'f(x)?oo', 'a${1}b', 'ab'],
    ['foo', 'foo', 'a$9b-${nobody}-$$1', 'a--$1'],
    ['foo', 'foo', 'a$-b$', 'a$-b$'],
    ['foo', 'foo', "$&$`$'", "$&$`$'"],
    ['a_b_c', '_', '-', 'a-b-c'],
    ['baaac', 'a*', 'x', 'xbxcx'],
    ['FooBar', '(?i)foo', 'x', 'xBar'],
    ['foo1', '[[:alpha:]]+', 'x', 'x1'],
    ['foo-1', '[^[:alnum:]]', '', 'foo1'],
    ['foofoo', '\\Afoo', 'x', 'xfoo'],
    ['foofoo', 'foo\\z', 'x', 'foox'],
    ['a(?P<b', '\\(\\?P<', 'x', 'axb'],
    ['foo', 'bar|', 'x', 'xfxoxox'],
  ];
  for (const [name, match, replacement, expected] of cases) {
    await t.test(`${name} ~ ${match} -> ${replacement}`, () => {
      assert.equal(host(name, match, replacement), expected);
    });
  }
});

test('the default expressions leave a name as they would if they were applied', () => {
  for (const name of ['web', 'Web_1.x', '$1', 'é', 'a\nb', '\n'])
    assert.equal(host(name, '(.*)', '$1'), host(name, '(.*)', '${1}'), JSON.stringify(name));
});

test('an invalid expression is a usage error', () => {
  assert.throws(
    () => new Hostnames({ ...plain, hostnameMatch: '(' }),
    (error) => hasCode(error, 'USAGE') && error.message.includes("--hostname-match: '('"),
  );
});
