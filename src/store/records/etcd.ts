import * as v from 'valibot';
import { ip, peerName, word, wordOrNone } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const host = v.object({
  /** in the underlay */
  address: ip,
  /** ms since the epoch when the host came */
  since: v.number(),
  /** of the etcd that is installed there; null: none, so it is no member */
  version: v.nullable(word),
});

/** `etcd/host/<name>`: a host of a managed cluster, as it registers itself. */
export const etcdHostRecord = new RecordKind({
  prefix: 'etcd/host/',
  key: peerName as v.GenericSchema<string, string>,
  value: host,
});

const members = v.object({
  /** etcd's own number for the cluster */
  clusterId: word,
  members: v.array(
    v.object({
      id: word,
      /** the host's; empty: it has not started yet */
      name: wordOrNone,
      address: ip,
      learner: v.boolean(),
    }),
  ),
});

/** `etcd/members`: who is a member now, for hosts that follow. */
export const etcdMembersRecord = new RecordKind({
  prefix: 'etcd/',
  key: v.literal('members'),
  value: members,
});

/** `etcd/steward`: the daemon that changes the members, for as long as its lease lasts. */
export const etcdStewardRecord = new RecordKind({
  prefix: 'etcd/',
  key: v.literal('steward'),
  value: v.object({ host: peerName, run: word }),
});

/** `etcd/voters`: how many shall vote; three where there is none. */
export const etcdVotersRecord = new RecordKind({
  prefix: 'etcd/',
  key: v.literal('voters'),
  value: v.picklist([3, 5]),
});

/** All of these. */
export const etcdPrefix = 'etcd/';
