import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { editHostsBlock } from '../../../../src/dns/system/hosts-block.ts';
import { writeHostsBlock } from '../../../../src/dns/system/hosts-file.ts';

const web = { address: '10.32.0.1', name: 'web.weave.local' };
const db = { address: '10.32.0.2', name: 'db.weave.local' };

test('the block goes to the end, is replaced where it stands, and leaves no trace', () => {
  const made = editHostsBlock('127.0.0.1 localhost\n', [web]);
  assert.match(
    made,
    /^127\.0\.0\.1 localhost\n# begin weavets.*\n10\.32\.0\.1\tweb\.weave\.local\n# end weavets\n$/,
  );
  const more = editHostsBlock(`${made}192.0.2.1 later\n`, [web, db]);
  assert.match(
    more,
    /web\.weave\.local\n10\.32\.0\.2\tdb\.weave\.local\n# end weavets\n192\.0\.2\.1 later\n$/,
  );
  assert.equal(editHostsBlock(more, []), '127.0.0.1 localhost\n192.0.2.1 later\n');
});

test('whatever is in the file, all other bytes stay, and removal restores it', () => {
  const piece = fc.constantFrom(
    '\n',
    '\r\n',
    ' ',
    '# end weavets',
    '# end weavets\n',
    '\xff\xfe',
    '\0',
    'a',
    '1.2.3.4 b',
  );
  const text = fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, text, (before, behind) => {
      const made = editHostsBlock(before, [web]);
      assert.ok(made.startsWith(before));
      assert.equal(editHostsBlock(made, [web]), made);
      assert.equal(editHostsBlock(editHostsBlock(made, [db, web]), []), before);
      // Somebody may add lines behind it.
      const added = editHostsBlock(`${made}${behind}`, []);
      assert.ok(added === `${before}${behind}` || added === `${before}\n${behind}`);
    }),
  );
});

test('a beginning without an end is a comment', () => {
  const [begin = ''] = editHostsBlock('', [web]).split('\n');
  const torn = `${begin}\n192.0.2.1 precious\n`;
  const made = editHostsBlock(torn, [web]);
  assert.ok(made.startsWith(torn));
  assert.equal(editHostsBlock(made, []), torn);
});

test('the file keeps its mode, links are followed, and no other file is left behind', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hosts-block-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [file, link] = [join(folder, 'real'), join(folder, 'hosts')];
  writeFileSync(file, Buffer.from([0xff, 0x0a, 0x31]));
  chmodSync(file, 0o640);
  symlinkSync('real', link);
  assert.equal(await writeHostsBlock(link, [web]), true);
  assert.equal(await writeHostsBlock(link, [web]), false);
  assert.match(readFileSync(file, 'latin1'), /\tweb\.weave\.local\n/);
  assert.equal(statSync(file).mode & 0o777, 0o640);
  assert.equal(await writeHostsBlock(link, []), true);
  assert.deepEqual([...readFileSync(file)], [0xff, 0x0a, 0x31]);
  assert.deepEqual(readdirSync(folder).sort(), ['hosts', 'real']);
  assert.equal(await writeHostsBlock(join(folder, 'none'), []), false);
  await assert.rejects(writeHostsBlock(join(folder, 'none'), [web]), { code: 'TOOL_FAILED' });
});
