import { readFileSync } from 'node:fs';

/** weavets' version, of package.json, which is two folders up from src/lib and from dist/lib. */
export const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
