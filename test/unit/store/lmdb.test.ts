import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { LmdbStore } from '../../../src/store/lmdb.ts';
import { storeContract } from './contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'weavets-lmdb-'));
after(() => rmSync(folder, { recursive: true }));
storeContract('lmdb', async (name) => LmdbStore.open(join(folder, name)));
