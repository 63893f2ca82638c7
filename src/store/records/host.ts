import * as v from 'valibot';
import { ip, peerName, word } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const host = v.object({
  /** tells hosts of the same name apart */
  id: word,
  nickname: word,
  /** in the underlay */
  address: ip,
  /** VXLAN network identifier */
  vni: v.number(),
  version: word,
  /** WireGuard's public key, sealed with the password */
  key: v.nullable(v.pipe(v.string(), v.base64())),
  /** whether its probe answers inside the network; those of 0.1.0 have none */
  probes: v.optional(v.boolean(), false),
});

/** A host as it registers itself. */
export type Registration = v.InferOutput<typeof host>;

/** `host/<name>`: how a host is reached. It outlives the host's daemon. */
export const hostRecord = new RecordKind({
  prefix: 'host/',
  key: peerName as v.GenericSchema<string, string>,
  value: host,
});
