import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../lib/log.ts';
import { RecordReader } from '../store/records/record-reader.ts';
import { tuningRecord } from '../store/records/tuning.ts';
import type { Store } from '../store/store.ts';

/** What {@link Tuning} needs. */
export interface TuningDeps {
  store: Store;
  logger: Logger;
  /** default: the kernel's */
  root?: string;
}

/** Settings of the kernel that are changed where they harm the network: what they were is kept, and put back by reset. */
export class Tuning {
  readonly #store: Store;
  readonly #reader: RecordReader<string, { from: string; to: string }>;
  readonly #root: string;

  constructor({ store, logger, root = '/proc/sys' }: TuningDeps) {
    this.#store = store;
    this.#reader = new RecordReader(tuningRecord, logger);
    this.#root = root;
  }

  /** @param setting `net/ipv4/conf/eth1/rp_filter` @returns undefined: there is none here */
  async read(setting: string): Promise<string | undefined> {
    const text = await readFile(join(this.#root, setting), 'utf8').catch(() => undefined);
    return text?.trim();
  }

  async set(setting: string, to: string): Promise<void> {
    const now = await this.read(setting);
    if (now === undefined || now === to) return;
    const kept = (await this.list()).find((change) => change.setting === setting);
    await this.#store.commit([tuningRecord.write(setting, { from: kept?.from ?? now, to })]);
    await writeFile(join(this.#root, setting), to);
  }

  /** Raises a limit that is lower; where this may not be written, as in a network namespace, it stays as it is. */
  async raise(setting: string, least: number): Promise<void> {
    const now = await this.read(setting);
    if (now === undefined || Number(now) >= least) return;
    await this.set(setting, String(least)).catch(() => {});
  }

  /** What was changed and is so yet. */
  async list(): Promise<{ setting: string; from: string; to: string }[]> {
    const records = this.#reader.readAll(await this.#store.list(tuningRecord.prefix));
    const changes = await Promise.all(
      records.map(async ({ key: setting, value: { from, to } }) =>
        (await this.read(setting)) === to ? [{ setting, from, to }] : [],
      ),
    );
    return changes.flat();
  }

  /** Puts back what was; what others have changed since stays. */
  async undo(): Promise<void> {
    for (const { setting, from } of await this.list()) await writeFile(join(this.#root, setting), from);
  }
}
