import assert from 'node:assert/strict';
import test from 'node:test';
import { match, originForm } from '../../../../src/proxy/wire/routes.ts';

const name = (method: string, target: string) => match(method, target)?.name;

test('every relevant call, with and without a version', () => {
  const calls: [method: string, path: string, name: string, id: string][] = [
    ['POST', '/containers/create', 'create', ''],
    ['POST', '/containers/abc/start', 'start', 'abc'],
    ['POST', '/containers/abc/restart', 'restart', 'abc'],
    ['POST', '/containers/abc/exec', 'exec', 'abc'],
    ['GET', '/containers/abc/json', 'inspect', 'abc'],
    ['GET', '/exec/abc/json', 'inspectExec', 'abc'],
    ['POST', '/containers/abc/attach', 'hijack', 'abc'],
    ['GET', '/containers/abc/attach/ws', 'hijack', 'abc'],
    ['POST', '/exec/abc/start', 'hijack', 'abc'],
    ['POST', '/session', 'hijack', ''],
    ['POST', '/grpc', 'hijack', ''],
  ];
  for (const [method, path, expected, id] of calls) {
    for (const version of [undefined, '1.12', '1.41', '1.57']) {
      const target = version ? `/v${version}${path}` : path;
      const route = match(method, `${target}?a=1&b=%20x`);
      assert.deepEqual(
        [route?.name, route?.id, route?.query.get('a'), route?.query.get('b')],
        [expected, id, '1', ' x'],
        `${method} ${target}`,
      );
    }
  }
});

test('the engine decodes paths and takes absolute targets; so do we', () => {
  for (const target of [
    '/%63ontainers/create',
    '/containers%2Fcreate',
    '/v1.41/containers/%63%72eate?name=x',
    '/%76%31.41/containers/create',
    'http://docker/v1.41/containers/create',
    'http://docker:2375/containers/create',
    'HTTP://x/containers/create',
    'unix:/containers/create',
    '/containers/create?',
    '/v1./containers/create',
  ]) {
    assert.equal(name('POST', target), 'create', target);
  }
  assert.equal(match('GET', '/containers/a%2Fb/json')?.id, 'a/b');
  assert.equal(match('GET', '/containers/a/b/json')?.id, 'a/b');
});

test("paths the engine redirects or doesn't know are not recognised", () => {
  for (const target of [
    '//containers/create',
    '/v1.41//containers/create',
    '/containers/create/',
    '/containers/./create',
    '/containers/x/../create',
    '/containers/%2e%2e/create',
    '/containers/%2e/create',
    '/Containers/create',
    '/containers/createx',
    '/x/containers/create',
    '/vx/containers/create',
    '/v1.41/v1.41/containers/create',
    '/containers/create#',
    '/containers/cr%eate',
    '/containers/create%0a',
    'containers/create',
    '*',
    '',
  ]) {
    assert.equal(name('POST', target), undefined, target);
  }
  for (const method of ['GET', 'PUT', 'post', 'HEAD', 'DELETE']) {
    assert.equal(name(method, '/containers/create'), undefined, method);
  }
  assert.equal(name('GET', '/containers/json'), undefined);
  assert.equal(name('HEAD', '/containers/a/json'), undefined);
});

test('an absolute target loses its scheme and host', () => {
  assert.equal(originForm('http://d:1/v1.41/x?y=http://z/'), '/v1.41/x?y=http://z/');
  assert.equal(originForm('/v1.41/x?y=http://z/'), '/v1.41/x?y=http://z/');
});
