import * as v from 'valibot';
import { hostname, ip, mac, owner, peerName, wildcard } from './fields.ts';
import { RecordKind } from './record-kind.ts';

const value = v.object({
  /** null: only names */
  mac: v.nullable(mac),
  ips: v.pipe(v.array(ip), v.readonly()),
  names: v.pipe(v.array(v.object({ hostname, address: ip })), v.readonly()),
  /** those that stand for all names below one; apart, as 0.1.0 would refuse them among the names */
  wildcards: v.optional(v.pipe(v.array(v.object({ hostname: wildcard, address: ip })), v.readonly())),
  /** that it serves: `80/tcp` */
  ports: v.optional(
    v.pipe(v.array(v.pipe(v.string(), v.regex(/^\d{1,5}\/(tcp|udp)$/, 'not a port'))), v.readonly()),
  ),
});

/** What one container, or the host itself, is to the other hosts. */
export type Link = v.InferOutput<typeof value>;

/** `<host>/<container>` */
export class LinkKey {
  readonly host: string;
  readonly container: string;

  constructor(host: string, container: string) {
    this.host = host;
    this.container = container;
  }

  toString(): string {
    return `${this.host}/${this.container}`;
  }
}

const key = v.pipe(
  v.string(),
  v.rawTransform<string, LinkKey>(({ dataset, addIssue, NEVER }) => {
    const [host, container, ...rest] = dataset.value.split('/');
    if (v.is(peerName, host) && v.is(owner, container) && rest.length === 0)
      return new LinkKey(host, container);
    addIssue({ message: 'not HOST/CONTAINER' });
    return NEVER;
  }),
);

/** `link/<host>/<container>`: where a container of another host is, and its names. It outlives that host's daemon. */
export const linkRecord = new RecordKind({ prefix: 'link/', key, value });
