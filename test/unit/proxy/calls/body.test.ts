import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { JsonObject, UnexpectedType } from '../../../../src/proxy/calls/body.ts';

const parse = (text: string | Buffer) => {
  const object = JsonObject.parse(Buffer.from(text));
  assert.ok(object, `${text} was not taken for an object`);
  return object;
};

/** The text after `edit`. */
const edited = (text: string, edit: (object: JsonObject) => void) => {
  const object = parse(text);
  edit(object);
  return object.toBuffer().toString();
};

test('unset members keep their exact bytes', () => {
  const before = String.raw`"MemorySwap": 9223372036854775807 , "a":1.0,"b":1e3, "c":-0, "d":"\u00e9\/\ud83d"`;
  const after = ' "é":[ {} , [ ] ] ,"z":null ';
  assert.equal(
    edited(` {\n ${before},\t"Hostname" : "old",${after}} `, (object) => object.set('Hostname', 'née')),
    ` {\n ${before},\t"Hostname" : "née",${after}} `,
  );
});

test('bytes that are not UTF-8 survive', () => {
  const body = Buffer.concat([Buffer.from('{"Env":["A='), Buffer.of(0xff, 0xfe, 0x80), Buffer.from('"]}')]);
  const object = parse(body);
  object.set('Hostname', 'h');
  const expected = Buffer.concat([body.subarray(0, -1), Buffer.from(',"Hostname":"h"}')]);
  assert.deepEqual(object.toBuffer(), expected);
});

test('a body that does not begin with an object is left to the engine', () => {
  for (const body of [
    '',
    ' ',
    'null',
    '[]',
    '"x"',
    '1',
    '{',
    '{"a":}',
    '{"a":1,}',
    "{'a':1}",
    '{"a":1]',
    '{"a',
    '{"a\\',
  ])
    assert.equal(JsonObject.parse(Buffer.from(body)), undefined, body);
  assert.equal(JsonObject.parse(Buffer.from('\ufeff{}')), undefined, 'a byte order mark');
});

test('anything after the object stays', () => {
  assert.equal(
    edited('{"Image":"x"} trailing {', (object) => object.set('Image', 'y')),
    '{"Image":"y"} trailing {',
  );
});

test('nesting deeper than the stack is read', () => {
  const deep = `{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}`;
  assert.equal(
    edited(deep, (object) => object.set('b', '')),
    `${deep.slice(0, -1)},"b":""}`,
  );
});

test('names match as the engine matches them', () => {
  for (const name of [
    'HostConfig',
    'hostconfig',
    'HOSTCONFIG',
    'Ho\u017ftConfig',
    String.raw`\u0048ostConfig`,
  ]) {
    const text = `{"${name}":{"NETWORKMODE":"host"}}`;
    assert.equal(parse(text).object('HostConfig')?.string('NetworkMode'), 'host', name);
  }
  // U+212A, the sign of Kelvin, is a k to Go.
  assert.equal(parse('{"NetwormMode":"x","Networ\u212aMode":"host"}').string('NetworkMode'), 'host');
  assert.equal(parse('{"NetworkModes":"x","Network Mode":"y"}').string('NetworkMode'), '');
});

test('of several members with one name the last counts', () => {
  assert.equal(parse('{"a":"1","A":"2"}').string('a'), '2');
  assert.deepEqual(parse('{"a":["1"],"A":["2"]}').strings('a'), ['2']);
});

test('null leaves a string, empties a list and a map', () => {
  assert.equal(parse('{"a":"1","A":null}').string('a'), '1');
  assert.equal(parse('{"a":["1"],"A":null}').strings('a'), undefined);
  assert.deepEqual(parse('{"a":{"x":"1"},"A":null,"a":{"y":"2"}}').map('a'), { y: '2' });
  assert.deepEqual(parse('{"a":["1",null]}').strings('a'), ['1', '']);
});

test('several objects of one name add up', () => {
  const object = parse('{"HostConfig":{"NetworkMode":"host"},"hostconfig":{"Binds":["a:/b"]}}').object(
    'HostConfig',
  );
  assert.equal(object?.string('NetworkMode'), 'host');
  assert.deepEqual(object?.strings('Binds'), ['a:/b']);
  assert.deepEqual(parse('{"L":{"a":"1","b":"1"},"l":{"a":"2"}}').map('L'), { a: '2', b: '1' });
});

test('setting leaves a single member of all spellings the engine accepts', () => {
  assert.equal(
    edited('{"dns":["1"],"x":1,"Dns":["2"],"DNS":null}', (object) => object.set('Dns', ['3'])),
    '{"x":1,"DNS":["3"]}',
  );
});

test('a command is a list or a string', () => {
  assert.deepEqual(parse('{"Cmd":"ls -l"}').command('Cmd'), ['ls -l']);
  assert.deepEqual(parse('{"Cmd":["ls","-l"]}').command('Cmd'), ['ls', '-l']);
  assert.deepEqual(parse('{"Cmd":[]}').command('Cmd'), []);
  assert.equal(parse('{"Cmd":null}').command('Cmd'), undefined);
  assert.equal(parse('{}').command('Cmd'), undefined);
});

test('a type that the engine refuses is recognised', () => {
  assert.throws(() => parse('{"a":1}').string('a'), UnexpectedType);
  assert.throws(() => parse('{"a":"x"}').strings('a'), UnexpectedType);
  assert.throws(() => parse('{"a":[1]}').command('a'), UnexpectedType);
  assert.throws(() => parse('{"a":[]}').object('a'), UnexpectedType);
  assert.throws(() => parse('{"a":{"b":1}}').map('a'), UnexpectedType);
  assert.throws(() => parse('{"a":{}}').removeObjects('a', () => true), UnexpectedType);
  assert.throws(() => parse('{"a":[1]}').removeObjects('a', () => true), UnexpectedType);
});

test('removed entries of maps and lists go, the others stay', () => {
  const text = '{"V":{ "/w" :{}, "/x":{"n":1.0} },"M":[{"Target":"/w"}, null , {"Target":"/x","n":1e3}]}';
  assert.equal(
    edited(text, (object) => {
      object.removeKeys('V', (key) => key === '/w');
      object.removeObjects('M', (mount) => mount.string('target') === '/w');
    }),
    '{"V":{ "/x":{"n":1.0} },"M":[ null , {"Target":"/x","n":1e3}]}',
  );
  const untouched = '{ "V" : { } , "M" : [ ] }';
  assert.equal(
    edited(untouched, (object) => {
      object.removeKeys('V', () => true);
      object.removeObjects('M', () => true);
      object.removeKeys('none', () => true);
      object.removeObjects('none', () => true);
    }),
    untouched,
  );
});

test('keys special to JavaScript are ordinary', () => {
  const labels = parse('{"Labels":{"__proto__":"a","constructor":"b"}}').map('Labels');
  assert.deepEqual(Object.entries(labels), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
});

/** A name with quotes, escapes and commas in it, but never one of ours. */
const name = fc.string({ unit: 'binary' }).map((text) => `~${text}`);
const spaces = fc.constantFrom('', ' ', '\n\t', '\r\n  ');
/** Any document as somebody may spell it: members as source text. */
const members = fc.array(fc.tuple(name, fc.json(), spaces, spaces), { maxLength: 12 });

test('for any document: untouched members keep their source text', () => {
  fc.assert(
    fc.property(members, fc.nat(12), fc.string({ unit: 'binary' }), (list, at, value) => {
      const sources = list.map(
        ([key, json, before, after]) => `${before}${JSON.stringify(key)}${after}:${json}${after}`,
      );
      const place = Math.min(at, sources.length);
      const ours = (text: string) =>
        sources.toSpliced(place, 0, `"Hostname":${JSON.stringify(text)}`).join(',');
      assert.equal(
        edited(`{${ours('old')}}`, (object) => object.set('Hostname', value)),
        Buffer.from(`{${ours(value)}}`).toString(),
      );
      assert.equal(
        edited(`{"HostConfig":{${sources.join(',')}}}`, (object) => {
          const host = object.object('HostConfig') ?? JsonObject.empty();
          object.set('HostConfig', host);
        }),
        Buffer.from(
          sources.length > 0 ? `{"HostConfig":{${sources.join(',')}}}` : '{"HostConfig":{}}',
        ).toString(),
      );
    }),
  );
});

test('for any bytes: a body is an object only if JSON.parse agrees', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((text) => `{"a":${text}`),
      ),
      (text) => {
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch {
          // Only what goes before trailing text can be an object now.
          const object = JsonObject.parse(Buffer.from(text));
          if (object) assert.equal(object.toBuffer().toString(), text);
          return;
        }
        const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
        assert.equal(JsonObject.parse(Buffer.from(text)) !== undefined, isObject);
      },
    ),
  );
});
