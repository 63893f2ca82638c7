import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeClusterFile } from '../../src/etcd/cluster-file.ts';
import { etcdFiles, readAuthority, writeAuthority } from '../../src/etcd/files.ts';
import { EtcdMember } from '../../src/etcd/member-process.ts';
import { type Member, Members } from '../../src/etcd/members.ts';
import { OwnMember } from '../../src/etcd/own-member.ts';
import { endpointsOf, Steward } from '../../src/etcd/steward.ts';
import { silent } from '../../src/lib/log.ts';
import type { Conditions } from '../../src/model/conditions.ts';
import { EtcdStore } from '../../src/store/etcd/etcd.ts';
import { until } from './until.ts';

/** Real members of etcd, each of a host of its own as far as etcd can tell: on an address of loopback. */
export class MemberLab implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'weavets-managed-etcd-'));
  readonly daemons: MemberDaemon[] = [];
  /** By code, what daemons have said last. */
  readonly told = new Map<string, string | undefined>();
  /** Of this lab's own, as other tests run beside it. */
  readonly #net = `127.${randomInt(1, 255)}.${randomInt(0, 256)}`;

  /** @param at the last number of its address */
  daemon(number: number, at = number): MemberDaemon {
    const conditions = {
      set: () => {},
      clear: () => {},
      update: (code: string, text: string | undefined) => void this.told.set(code, text),
    };
    const made = new MemberDaemon({ root: this.root, net: this.#net, number, at, conditions });
    this.daemons.push(made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.daemons) await each.stop().catch(() => {});
    for (const each of this.daemons) await (await EtcdMember.find(each.folder))?.stop();
    rmSync(this.root, { recursive: true, force: true });
  }
}

interface MemberDaemonOptions {
  root: string;
  net: string;
  number: number;
  at: number;
  conditions: Pick<Conditions, 'set' | 'clear' | 'update'>;
}

/** What a daemon does of this, without the rest of it. */
export class MemberDaemon {
  readonly name: string;
  readonly address: string;
  readonly folder: string;
  readonly #conditions;
  readonly #stopping = new AbortController();
  shared!: EtcdStore;
  steward!: Steward;

  constructor({ root, net, number, at, conditions }: MemberDaemonOptions) {
    this.name = `02:00:00:00:00:${String(number).padStart(2, '0')}`;
    this.address = `${net}.${at}`;
    this.folder = join(root, `host${number}`);
    this.#conditions = conditions;
  }

  /** By which peers see it: on loopback all come from the first address. */
  get addresses(): string[] {
    return [this.address, '127.0.0.1'];
  }

  get options() {
    const { folder, name, address, addresses } = this;
    return { folder, name, address, addresses };
  }

  /** As `cluster join` leaves a host. */
  async join(first: MemberDaemon): Promise<void> {
    const ca = await readAuthority(first.folder);
    assert.ok(ca);
    await writeAuthority(this.folder, ca);
    await writeClusterFile(this.folder, { id: 'x', endpoints: endpointsOf(await first.members()) });
    await this.start();
  }

  async start(): Promise<void> {
    const { folder, address } = this;
    const ca = await readAuthority(folder);
    assert.ok(ca);
    const { signal } = this.#stopping;
    const self = { name: this.name, address };
    const conditions = this.#conditions;
    const deps = { folder, self, ca, conditions, logger: silent, signal };
    const own = new OwnMember({ ...deps, addresses: () => this.addresses });
    await own.resume();
    const { client } = etcdFiles(folder);
    const [cert, key] = [client.cert, client.key].map((path) => readFileSync(path, 'utf8'));
    const file = JSON.parse(readFileSync(etcdFiles(folder).cluster, 'utf8')) as { endpoints: string[] };
    this.shared = await EtcdStore.connect({
      endpoints: file.endpoints.map((endpoint) => `https://${endpoint}`),
      tls: { ca: ca.cert, cert: cert as string, key: key as string },
      leaseSeconds: 5,
      logger: silent,
    });
    this.steward = Steward.start({
      ...deps,
      own,
      shared: this.shared,
      // Longer than any that is killed takes to come back on a busy machine.
      patience: 15_000,
      changed: (list) => this.shared.setEndpoints(endpointsOf(list).map((endpoint) => `https://${endpoint}`)),
      renewed: () => {},
    });
    // What the rest of a daemon registers.
    await until(`${this.name} is registered`, async () => {
      const writes = [
        { key: `host/${this.name}`, value: '{}' },
        { key: `alive/${this.name}`, value: '{}', leased: true },
      ];
      return this.shared.commit(writes).catch(() => false);
    });
  }

  async members(): Promise<readonly Member[]> {
    const ca = await readAuthority(this.folder);
    const file = JSON.parse(readFileSync(etcdFiles(this.folder).cluster, 'utf8')) as { endpoints: string[] };
    assert.ok(ca);
    return (await new Members({ endpoints: file.endpoints, ca }).list().catch(() => ({ members: [] })))
      .members;
  }

  /** Ends the daemon; its etcd goes on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.steward?.ended;
    await this.shared?.close();
  }

  async killEtcd(): Promise<void> {
    const member = await EtcdMember.find(this.folder);
    assert.ok(member, `${this.name} has an etcd`);
    process.kill(member.pid, 'SIGKILL');
    await until('its etcd has ended', () => !member.alive);
  }
}

/** Waits until a key has this value; while etcd elects a leader it may have to be asked again. */
export const hasValue = ({ shared, name }: MemberDaemon, key: string, value: string) =>
  until(`${name} finds ${value} under ${key}`, async () => {
    return (await shared.get(key).catch(() => undefined))?.value === value;
  });

/** Writes a value, however often that takes. */
export const put = ({ shared }: MemberDaemon, key: string, value: string) =>
  until(`${key} is written`, () => shared.commit([{ key, value }]).catch(() => false));

/** Waits until the members are these: `v1 v2 l3`. */
export async function settled(on: MemberDaemon, wanted: string): Promise<void> {
  let last = '';
  await until(
    `the members are ${wanted}`,
    async () => {
      const members = await on.members();
      last = members
        .map(
          ({ address, learner, name }) =>
            `${learner ? 'l' : name === '' ? '?' : 'v'}${address.split('.')[3]}`,
        )
        .sort()
        .join(' ');
      return last === wanted;
    },
    120_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; they are ${last}`);
  });
}
