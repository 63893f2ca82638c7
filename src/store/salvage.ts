/**
 * Run as a process of its own: reads a store that may be damaged, and prints each row as a line of JSON. The kernel ends
 * a process that touches what a truncated file lacks, and LMDB ends one that meets a page it does not know: here that
 * costs the rest of the rows, and not the daemon.
 */
import { statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';

const [path = ''] = process.argv.slice(2);
print('begin\n');
/** More than a store can hold: pages that are damaged may lead in circles. */
let left = 4 * statSync(join(path, 'data.mdb')).size;
const root = open<Buffer, Buffer>({ path, keyEncoding: 'binary', encoding: 'binary', readOnly: true });
for (const { key, value } of root.getRange({})) {
  left -= value.length + key.length;
  if (left < 0) throw new Error('it does not end');
  print(`${JSON.stringify([Buffer.from(key).toString('utf8'), value.toString('utf8')])}\n`);
}

/** At once: of what is buffered nothing is left when the process is ended. */
function print(line: string): void {
  const bytes = Buffer.from(line);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      // The pipe is full; the reader is behind.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
