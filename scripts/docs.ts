import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pages } from './docs/pages.ts';

// Writes the pages of docs/ that are made from the code: `npm run docs`.
for (const [name, text] of Object.entries(await pages())) {
  writeFileSync(join(import.meta.dirname, '..', name), text);
}
