/**
 * The operations that the command line asks of the daemon: JSON in and out over the control socket. What goes in is
 * checked by these schemas; what comes out is the daemon's own, and only typed by them.
 */
import * as v from 'valibot';
import { verdictStates } from '../model/verdict.ts';
import { report } from '../report/report.ts';

const texts = v.array(v.string());
const nothing = v.object({});
const addresses = v.object({ addresses: texts });
/** Those of the host itself, and what to type so its programs find names; null: they do. */
const exposed = v.object({ addresses: texts, note: v.nullable(v.string()) });

/** A container, or the host itself, as `ps` shows it. */
const psEntry = v.object({
  /** how the question named it; absent where it named none */
  asked: v.optional(v.string()),
  /** 64 hex digits, or `weave:expose` */
  id: v.string(),
  name: v.string(),
  mac: v.string(),
  cidrs: texts,
});

/** A running container that is or is not attached, and why, for `ps --why`. */
const whyEntry = v.object({
  id: v.string(),
  name: v.string(),
  attached: v.boolean(),
  /** why it is not; its addresses if it is */
  reason: v.string(),
  /** what does not work for it though it is attached */
  warnings: texts,
});

const attachInput = v.object({
  container: v.string(),
  requests: texts,
  rewriteHosts: v.boolean(),
  addHosts: texts,
  multicastRoute: v.boolean(),
  /** false with --without-dns: no name for the container; default true */
  dns: v.optional(v.boolean()),
});

/** What a check of `doctor`, or a step of its walk, has found. */
const verdict = v.object({
  check: v.string(),
  state: v.picklist(verdictStates),
  /** of a failure, with what to do */
  text: v.string(),
  /** of a failure */
  code: v.nullable(v.string()),
});

/** Null without a container: the addresses are nobody's. Null without a name: the container's own. */
const nameInput = v.object({
  container: v.nullable(v.string()),
  ips: texts,
  fqdn: v.nullable(v.string()),
});

/** A host of a cluster, as `cluster status` shows it. */
const clusterHost = v.object({
  name: v.string(),
  nickname: v.string(),
  address: v.string(),
  version: v.string(),
  here: v.boolean(),
  /** its daemon runs */
  up: v.boolean(),
  /** its etcd; null: it has none of the cluster's */
  etcd: v.nullable(
    v.object({
      role: v.picklist(['leader', 'voter', 'learner']),
      answers: v.boolean(),
      /** bytes of its file */
      size: v.number(),
      /** changes it has yet to apply */
      behind: v.number(),
    }),
  ),
});

const clusterStatus = v.object({
  /** null: an etcd of the users' own */
  id: v.nullable(v.string()),
  range: v.nullable(v.string()),
  domain: v.string(),
  encrypted: v.boolean(),
  /** every machine that reaches a host may join */
  open: v.boolean(),
  hosts: v.array(clusterHost),
  /** `host:port` of etcd's members that this host goes to */
  members: texts,
  /** of the newest snapshot on this host, ISO */
  lastBackup: v.nullable(v.string()),
  /** of this host's certificates, ISO */
  certificatesEnd: v.nullable(v.string()),
});

/** Absolute paths of files, and who this host is there. */
const etcdLogin = v.object({
  ca: v.optional(v.string()),
  cert: v.optional(v.string()),
  key: v.optional(v.string()),
  user: v.optional(v.string()),
  password: v.optional(v.string()),
});

const tokenOutput = v.object({ token: v.string(), host: v.string(), expires: v.string() });

/** Every operation: what it takes and what it gives. To add one, add a row, and its handler in daemon/operations.ts. */
export const operations = {
  ping: { in: nothing, out: v.object({ pid: v.number(), version: v.string(), ready: v.boolean() }) },
  report: { in: nothing, out: report },
  ps: { in: v.object({ containers: texts }), out: v.array(psEntry) },
  why: { in: nothing, out: v.array(whyEntry) },
  doctor: { in: nothing, out: v.array(verdict) },
  walk: { in: v.object({ from: v.string(), to: v.string() }), out: v.array(verdict) },
  stop: { in: nothing, out: nothing },
  attach: { in: attachInput, out: addresses },
  detach: { in: v.object({ container: v.string(), requests: texts }), out: addresses },
  expose: {
    in: v.object({
      requests: texts,
      fqdn: v.nullable(v.string()),
      masquerade: v.boolean(),
      hostsFile: v.optional(v.boolean()),
    }),
    out: exposed,
  },
  hide: { in: v.object({ requests: texts }), out: addresses },
  dnsAdd: { in: nameInput, out: nothing },
  dnsRemove: { in: nameInput, out: nothing },
  dnsLookup: { in: v.object({ name: v.string() }), out: addresses },
  dnsArgs: { in: nothing, out: v.object({ args: texts }) },
  /** `known`: a host that nobody has heard of is an error, and not one without addresses */
  rmpeer: {
    in: v.object({ peers: texts, force: v.optional(v.boolean()), known: v.optional(v.boolean()) }),
    out: v.object({ lines: texts }),
  },
  /** Makes this host the first of a cluster; `from`: the etcd of the users' own that it moves from. */
  clusterInit: {
    in: v.object({ voters: v.optional(v.picklist([3, 5])), from: v.optional(v.string()) }),
    out: tokenOutput,
  },
  /** Moves this host's cluster to an etcd of the users' own. */
  clusterMove: { in: v.object({ store: v.string(), etcd: v.nullable(etcdLogin) }), out: nothing },
  clusterJoin: { in: v.object({ host: v.string(), token: v.string() }), out: nothing },
  /** `ttl` in ms */
  clusterToken: { in: v.object({ ttl: v.number() }), out: tokenOutput },
  /** No token: all of them. */
  clusterRevoke: { in: v.object({ token: v.nullable(v.string()) }), out: v.object({ revoked: v.number() }) },
  clusterStatus: { in: nothing, out: clusterStatus },
  /** `file` as the daemon can open it: an absolute path. */
  clusterBackup: { in: v.object({ file: v.string() }), out: v.object({ bytes: v.number() }) },
  /** The host is no part of its cluster any more; `stop` follows. */
  leave: { in: nothing, out: nothing },
  connect: { in: v.object({ peers: texts, replace: v.boolean() }), out: nothing },
  forget: { in: v.object({ peers: texts }), out: nothing },
  prime: { in: nothing, out: nothing },
} as const;

export type PsEntry = v.InferOutput<typeof psEntry>;
export type WhyEntry = v.InferOutput<typeof whyEntry>;
export type ClusterStatus = v.InferOutput<typeof clusterStatus>;

/** Name of an operation. */
export type Operation = keyof typeof operations;

/** What each operation takes and gives. */
export type Operations = {
  [K in Operation]: {
    in: v.InferOutput<(typeof operations)[K]['in']>;
    out: v.InferOutput<(typeof operations)[K]['out']>;
  };
};
