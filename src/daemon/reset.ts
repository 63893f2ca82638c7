import { existsSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { leaveAsKept } from '../cluster/leave.ts';
import { dropKept } from '../cluster/managed.ts';
import { parseEngine } from '../config/launch-config.ts';
import { engineTls } from '../config/tls-files.ts';
import { removeHostsLines } from '../containers/hosts-files.ts';
import { releaseShims } from '../containers/shims.ts';
import { writeHostsBlock } from '../dns/system/hosts-file.ts';
import { EngineClient } from '../docker/client.ts';
import { Tuning } from '../doctor/tuning.ts';
import { etcdFolder } from '../etcd/files.ts';
import { leaveEtcd } from '../etcd/leave.ts';
import { messageOf } from '../lib/errors.ts';
import { silent } from '../lib/log.ts';
import { paths } from '../model/paths.ts';
import { shimRoot } from '../model/shim.ts';
import { removeBridge } from '../net/bridge.ts';
import { removeRule } from '../net/dns-link.ts';
import { removeRules } from '../net/firewall.ts';
import { IpBatch } from '../net/ip.ts';
import { removeDatapath } from '../net/overlay/datapath.ts';
import { LmdbStore } from '../store/lmdb.ts';
import { repairStore } from '../store/repair.ts';

/** How to reset. */
export interface ResetOptions {
  /** says where the engine is */
  env: NodeJS.ProcessEnv;
}

/**
 * Removes everything weavets made on this host: bridge, veths, rules and chains, state. The daemon must have ended.
 * The shims stay until no container needs them.
 * @returns what could not be removed, and why
 */
export async function resetHost({ env }: ResetOptions): Promise<string[]> {
  const ip = new IpBatch();
  const steps: (() => Promise<unknown>)[] = [
    () => withStore((store) => removeHostsLines(store, silent)),
    () => withStore((store) => leaveAsKept(store, env)),
    () => leaveEtcd(etcdFolder),
    () => withStore((store) => new Tuning({ store, logger: silent }).undo()),
    () => dropKept(etcdFolder),
    () => writeHostsBlock('/etc/hosts', []),
    () => removeDatapath(),
    () => removeRule(ip),
    () => removeBridge(ip),
    () => removeRules(),
    () => removeState(env),
    () => removeFolder(paths.run),
    () => removeLogs(),
  ];
  const warnings: string[] = [];
  for (const step of steps) {
    await step().catch((error: unknown) => warnings.push(messageOf(error)));
  }
  ip.close();
  return warnings;
}

/** The state says what else to undo: in running containers' files, and in the cluster. */
async function withStore(task: (store: LmdbStore) => Promise<void>): Promise<void> {
  const folder = join(paths.state, 'store');
  if (!existsSync(folder)) return;
  await repairStore(folder);
  const store = LmdbStore.open(folder);
  try {
    await task(store);
  } finally {
    await store.close();
  }
}

/** The log, and the rotated ones. */
async function removeLogs(): Promise<void> {
  const folder = dirname(paths.log);
  for (const name of await readdir(folder)) {
    if (/^\.\d+$|^$/.test(name.slice(basename(paths.log).length)) && name.startsWith(basename(paths.log)))
      await rm(join(folder, name), { force: true });
  }
}

/** The state; without the shims, which then don't wait, as long as a container binds one. */
async function removeState(env: NodeJS.ProcessEnv): Promise<void> {
  const shims = shimRoot(paths.state);
  if (!existsSync(shims) || !(await shimsInUse(env))) return removeFolder(paths.state);
  await releaseShims(paths.state);
  await removeFolder(paths.state, basename(shims));
}

/** True, too, when the engine can't be asked. */
async function shimsInUse(env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    const url = parseEngine(env);
    const engine = new EngineClient({ url, tls: engineTls(url, env) });
    try {
      return (await engine.list({ all: true })).some(({ shim }) => shim !== undefined);
    } finally {
      await engine.close();
    }
  } catch {
    return true;
  }
}

/** The folder itself may be a mount, as it is where the daemon runs in a container; then it stays, empty. */
async function removeFolder(path: string, but?: string): Promise<void> {
  const names = await readdir(path).catch(() => []);
  for (const name of names.filter((each) => each !== but))
    await rm(join(path, name), { recursive: true, force: true });
  await rmdir(path).catch(() => {});
}
