import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blockRecord } from '../../src/store/records/block.ts';
import { repository } from './host.ts';

/** A version that is not this one, and what differs in what it tells other hosts. */
interface Difference {
  version: string;
  /** what is built to what it has in its place */
  replaced: readonly (readonly [from: string, to: string])[];
}

const record = 'return JSON.stringify(value);';
const message = 'JSON.stringify(message)';

/** One that does not know the fields that came since. */
const earlier: Difference = {
  version: '0.0.1-earlier',
  replaced: [[record, 'const { probes, wildcards, ports, ...known } = value; return JSON.stringify(known);']],
};

/** One that says more than this one knows, in records and to whoever joins. (Blocks have no fields but addresses.) */
const later: Difference = {
  version: '99.0.0-later',
  replaced: [
    [
      record,
      `return JSON.stringify(this.prefix === '${blockRecord.prefix}' ? value : { ...value, later: { any: 'thing' } });`,
    ],
    [message, "JSON.stringify({ ...message, later: 'thing' })"],
  ],
};

/** This build, but for such a difference, in a folder of its own. */
export class OtherVersion implements AsyncDisposable {
  readonly #folder: string;
  readonly version: string;

  private constructor(folder: string, version: string) {
    this.#folder = folder;
    this.version = version;
  }

  static earlier = () => OtherVersion.#create(earlier);
  static later = () => OtherVersion.#create(later);

  static async #create({ version, replaced }: Difference): Promise<OtherVersion> {
    const folder = await mkdtemp(join(tmpdir(), `weavets-${version}-`));
    for (const part of ['bin', 'dist'])
      await cp(join(repository, part), join(folder, part), { recursive: true });
    await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'));
    const about = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8'));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ ...about, version }));
    for (const [from, to] of replaced) await replaceOnce(join(folder, 'dist'), from, to);
    return new OtherVersion(folder, version);
  }

  get weavets(): string {
    return join(this.#folder, 'bin/weavets');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** @throws unless it is there exactly once: what is built has changed, and this is to follow */
async function replaceOnce(folder: string, from: string, to: string): Promise<void> {
  let count = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.js')) continue;
    const parts = (await readFile(join(folder, name), 'utf8')).split(from);
    count += parts.length - 1;
    if (parts.length > 1) await writeFile(join(folder, name), parts.join(to));
  }
  if (count !== 1) throw new Error(`${from} is ${count} times in what is built`);
}
