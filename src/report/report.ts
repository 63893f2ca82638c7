import * as v from 'valibot';

const texts = v.array(v.string());

/** A link to another peer. */
export const connection = v.object({
  /** `IP:PORT` */
  Address: v.string(),
  Outbound: v.boolean(),
  State: v.picklist(['established', 'pending', 'retrying', 'failed']),
  /**
   * what carries it, the peer, the MTU of the way there, and how it fares:
   * `vxlan 0e:1d:12:1a:1a:88(host1) mtu=1450 rtt=0.3ms loss=0%`, with loss of small/full packets where they differ
   */
  Info: v.string(),
});

/** This host, or another one whose daemon runs. */
export const peer = v.object({
  Name: v.string(),
  NickName: v.string(),
  UID: v.number(),
  Version: v.number(),
  /** null: of another host */
  Connections: v.nullable(v.array(connection)),
});

/** A name of a container. */
export const dnsEntry = v.object({
  /** with the final dot */
  Hostname: v.string(),
  /** name of the host that has it */
  Origin: v.string(),
  /** or a word, such as `weave:expose` */
  ContainerID: v.string(),
  Address: v.string(),
});

/** A part of the range of addresses, and whose it is. */
export const ipamEntry = v.object({
  /** its first address */
  Token: v.string(),
  Size: v.number(),
  Peer: v.string(),
  Nickname: v.string(),
  IsKnownPeer: v.boolean(),
});

/** How packets of one size fare on the way to another host. */
const beat = v.object({
  state: v.picklist(['ok', 'failing', 'unknown']),
  /** ms since the epoch */
  since: v.number(),
  /** of the last answer; absent: there was none */
  roundTripMs: v.optional(v.number()),
  /** of the last 20, 0 to 1 */
  loss: v.number(),
});

/** How the way to another host is, inside the containers' network. */
const path = v.object({
  /** name of the host */
  peer: v.string(),
  nickname: v.string(),
  address: v.string(),
  small: beat,
  /** of the containers' MTU */
  full: beat,
  /** the largest packet that passes, bytes, where full size does not; absent: full size passes, or nothing is known */
  mtu: v.optional(v.number()),
  /** whether the hosts hear each other outside the containers' network */
  underlay: v.picklist(['up', 'down', 'unknown']),
  /** true where there are too many hosts to ask each of them every time */
  sampled: v.boolean(),
});

/** Something that is wrong now. */
export const condition = v.object({
  /** as docs/conditions.md lists them */
  Code: v.string(),
  /** what it is about where the kind can be there several times, else empty */
  About: v.string(),
  /** says what to do, too */
  Text: v.string(),
  /** ISO 8601 */
  Since: v.string(),
});

/** All the daemon knows, in the shape that `report` prints. */
export const report = v.object({
  Ready: v.boolean(),
  Version: v.string(),
  VersionCheck: v.object({ Enabled: v.boolean(), Success: v.boolean(), NewVersion: v.string() }),
  Router: v.object({
    Protocol: v.string(),
    Name: v.string(),
    NickName: v.string(),
    Port: v.number(),
    Encryption: v.boolean(),
    PeerDiscovery: v.boolean(),
    Peers: v.array(peer),
    Connections: v.nullable(v.array(connection)),
    /** null: this host is alone */
    Targets: v.nullable(texts),
    TrustedSubnets: texts,
    MACs: v.nullable(
      v.array(v.object({ Mac: v.string(), Name: v.string(), NickName: v.string(), LastSeen: v.string() })),
    ),
  }),
  /** null: this host gives no addresses */
  IPAM: v.nullable(
    v.object({
      Range: v.string(),
      RangeNumIPs: v.number(),
      ActiveIPs: v.number(),
      DefaultSubnet: v.string(),
      Entries: v.array(ipamEntry),
    }),
  ),
  /** null: DNS is off */
  DNS: v.nullable(
    v.object({
      Domain: v.string(),
      Upstream: texts,
      /** `IP:PORT` */
      Address: v.string(),
      /** seconds */
      TTL: v.number(),
      Entries: v.array(dnsEntry),
    }),
  ),
  /** null: the proxy is off */
  Proxy: v.nullable(v.object({ Addresses: texts })),
  /** how the ways to the other hosts are, inside the network */
  Paths: v.array(path),
  /** how the host itself takes part */
  Host: v.object({
    /** its addresses on the network, in CIDR form; empty: none */
    Exposed: texts,
    /** from where its programs have containers' names: `systemd-resolved`, `hosts-file`; null: from nowhere */
    NamesBy: v.nullable(v.picklist(['systemd-resolved', 'hosts-file'])),
    /** what to type for them to have names; null: nothing */
    Advice: v.nullable(v.string()),
  }),
  /** what is wrong now, the oldest first */
  Conditions: v.array(condition),
  /** what was wrong within the last hour, and has been put right */
  Healed: v.array(condition),
});

/** How one thing is: in order, or not, or not in use. */
const check = v.object({ subject: v.string(), state: v.picklist(['ok', 'wrong', 'off']), text: v.string() });

/** How weavets is on this host, for who looks at it in a hurry. */
export const health = v.object({
  well: v.boolean(),
  version: v.string(),
  /** nickname of this host */
  host: v.string(),
  checks: v.array(check),
  /** what is wrong, and what to do about it */
  todo: v.array(condition),
});

/** See {@link report}. */
export type Report = v.InferOutput<typeof report>;
/** See {@link condition}. */
export type ReportedCondition = v.InferOutput<typeof condition>;
/** See {@link connection}. */
export type Connection = v.InferOutput<typeof connection>;
/** See {@link health}. */
export type Health = v.InferOutput<typeof health>;
export type Check = v.InferOutput<typeof check>;
