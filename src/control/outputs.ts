/** What each command prints with `--json`; docs/json.md is made from it. */
import * as v from 'valibot';
import { connection, dnsEntry, health, ipamEntry, peer, report } from '../report/report.ts';
import { operations } from './contract.ts';

/** It is done, and there is nothing more to say. */
const done = v.object({});

/** An attached container of any host. */
const psRow = v.object({
  /** 64 hex digits, or a word such as `weave:expose` */
  id: v.string(),
  name: v.string(),
  /** nickname of its host */
  host: v.string(),
  /** those of this host in CIDR form */
  addresses: v.array(v.string()),
  /** null: of another host */
  mac: v.nullable(v.string()),
});

/** By command, and what follows it; those that are not here print text for other programs, and take no `--json`. */
export const outputs = {
  setup: done,
  launch: v.object({ pid: v.number() }),
  env: v.object({ set: v.record(v.string(), v.string()), unset: v.array(v.string()) }),
  config: v.object({ host: v.string() }),
  stop: v.object({ stopped: v.boolean() }),
  reset: done,
  status: health,
  'status targets': v.array(v.string()),
  'status connections': v.array(connection),
  'status peers': v.array(peer),
  'status dns': v.array(dnsEntry),
  'status ipam': v.array(ipamEntry),
  ps: operations.ps.out,
  'ps --why': operations.why.out,
  'ps --all': v.array(psRow),
  report,
  doctor: v.object({ healthy: v.boolean(), checks: operations.doctor.out }),
  attach: operations.attach.out,
  detach: operations.detach.out,
  expose: operations.expose.out,
  hide: operations.hide.out,
  'dns-add': done,
  'dns-remove': done,
  'dns-lookup': operations.dnsLookup.out,
  connect: done,
  forget: done,
  rmpeer: operations.rmpeer.out,
  prime: done,
  'cluster init': operations.clusterInit.out,
  'cluster init --from weavets': done,
  'cluster join': done,
  'cluster token': operations.clusterToken.out,
  'cluster token --revoke': operations.clusterRevoke.out,
  'cluster status': operations.clusterStatus.out,
  'cluster leave': done,
  'cluster remove': operations.rmpeer.out,
  'cluster backup': operations.clusterBackup.out,
  'cluster restore': done,
  'docker-bridge-ip': v.object({ address: v.string() }),
  uninstall: v.object({ removed: v.array(v.string()) }),
  version: v.object({ version: v.string() }),
} as const;

/** What each prints. */
export type Outputs = { [K in keyof typeof outputs]: v.InferOutput<(typeof outputs)[K]> };
export type PsRow = v.InferOutput<typeof psRow>;
