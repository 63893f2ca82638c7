import type { Check, Health, Report } from './report.ts';

/** What a report does not tell. */
export interface Surroundings {
  /** containers that are attached on this host */
  attached: number;
  /** names of those that run and are not; null: the engine did not tell in time */
  others: readonly string[] | null;
  /** the shell's DOCKER_HOST */
  dockerHost: string | undefined;
}

/** How all is, from the daemon's report and what else was seen. */
export function healthOf(report: Report, around: Surroundings): Health {
  const checks = [
    containers(around),
    addresses(report.IPAM),
    names(report.DNS),
    host(report.Host),
    ...hosts(report.Router),
    proxy(report.Proxy, around),
  ];
  const wrong = checks.some(({ state }) => state === 'wrong');
  return {
    well: report.Ready && !wrong && report.Conditions.length === 0,
    version: report.Version,
    host: report.Router.NickName,
    checks: report.Ready ? checks : [{ subject: 'start', state: 'wrong', text: 'not done yet' }, ...checks],
    todo: report.Conditions,
  };
}

/** How many are named before `…`. */
const shown = 5;

function containers({ attached, others }: Surroundings): Check {
  const tail =
    others === null
      ? '; of others the engine tells nothing now'
      : others.length === 0
        ? ''
        : `; ${others.length} not: ${some(others)} (weavets ps --why)`;
  return { subject: 'containers', state: 'ok', text: `${attached} attached${tail}` };
}

function addresses(ipam: Report['IPAM']): Check {
  const subject = 'addresses';
  if (ipam === null) return { subject, state: 'off', text: "none are given here (--ipalloc-range '')" };
  return { subject, state: 'ok', text: `${ipam.ActiveIPs} in use here, of ${ipam.Range}` };
}

function names(dns: Report['DNS']): Check {
  const subject = 'names';
  if (dns === null) return { subject, state: 'off', text: 'no DNS server (--no-dns)' };
  const domain = dns.Domain.replace(/\.$/, '');
  return { subject, state: 'ok', text: `${dns.Entries.length} in ${domain}, answered at ${dns.Address}` };
}

function host({ Exposed, NamesBy, Advice }: Report['Host']): Check {
  const subject = 'this host';
  if (Exposed.length === 0)
    return {
      subject,
      state: 'off',
      text: 'takes no part itself; to have an address and the names: weavets expose',
    };
  const how = NamesBy ? `; it finds names by ${NamesBy === 'hosts-file' ? '/etc/hosts' : NamesBy}` : '';
  const advice = Advice === null ? '' : `; ${Advice}`;
  return { subject, state: 'ok', text: `${Exposed.join(', ')}${how}${advice}` };
}

function hosts({ Connections, Peers, Encryption }: Report['Router']): Check[] {
  const subject = 'hosts';
  const connections = Connections ?? [];
  if (Peers.length <= 1 && connections.length === 0)
    return [{ subject, state: 'off', text: 'this one is alone' }];
  const reached = connections.filter(({ State }) => State === 'established').length;
  const others = Peers.length - 1;
  const how = Encryption ? ', encrypted' : '';
  const state = reached < others ? 'wrong' : 'ok';
  const bad = connections.filter(({ State }) => State !== 'established');
  return [
    { subject, state, text: `${reached} of ${others} others reached${how}` },
    ...bad.slice(0, shown).map(({ State, Info, Address }): Check => {
      return { subject: '', state: 'wrong', text: `${State}: ${Info}, at ${Address}` };
    }),
  ];
}

function proxy(of: Report['Proxy'], { dockerHost }: Surroundings): Check {
  const subject = 'proxy';
  if (of === null) return { subject, state: 'off', text: 'off (--proxy=false); attach by weavets attach' };
  const used = dockerHost !== undefined && of.Addresses.includes(dockerHost);
  const shell = used ? 'this shell uses it' : 'this shell does not use it: eval $(weavets env)';
  return { subject, state: 'ok', text: `${of.Addresses.join(', ')}; ${shell}` };
}

function some(names: readonly string[]): string {
  return names.slice(0, shown).join(', ') + (names.length > shown ? ', …' : '');
}
