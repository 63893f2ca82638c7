/** Ports by their IANA names, as in `_http._tcp`; all others are queried by number. */
const wellKnown: Readonly<Record<string, number>> = {
  amqp: 5672,
  domain: 53,
  http: 80,
  https: 443,
  imap: 143,
  ldap: 389,
  mqtt: 1883,
  mysql: 3306,
  nats: 4222,
  postgresql: 5432,
  redis: 6379,
  smtp: 25,
  ssh: 22,
};

/** A service that is queried by name (RFC 2782). */
export interface Service {
  /** `80/tcp` */
  port: string;
  /** whose: `web.weave.local.` */
  owner: string;
}

/** `_80._tcp.web.weave.local.`, `_http._tcp.web.`; undefined: no name of this form. */
export function splitService(name: string): Service | undefined {
  if (!name.startsWith('_')) return undefined;
  const [, what = '', protocol, owner] = /^_([a-z0-9-]+)\._(tcp|udp)\.(.+)$/.exec(name) ?? [];
  if (owner === undefined) return undefined;
  const number = Object.hasOwn(wellKnown, what) ? wellKnown[what] : what;
  return { port: `${number}/${protocol}`, owner };
}

/** Numbers of `80/tcp` and the like; with `only`, just that one. */
export function servicePorts(ports: readonly string[], only?: string): number[] {
  const wanted = only === undefined ? ports : ports.filter((port) => port === only);
  return [...new Set(wanted.map((port) => Number.parseInt(port, 10)))];
}
