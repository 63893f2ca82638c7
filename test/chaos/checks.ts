import { messageOf } from '../../src/lib/errors.ts';
import { until } from '../support/host.ts';
import type { Machine } from './machine.ts';
import { failedPings, type Sight, sightOf, wrongAnswers } from './sight.ts';

/** Files that come and go, with what is in them: sockets, the state's own, what a container has. */
const changing = /\/(store\/|store\.damaged|shims?\/|snapshots|.*\.sock$)|[0-9a-f]{64}/;

/** Links that a daemon makes once a minute, and removes within a second. */
export const probeLink = /\b(weave|vethwe)-p[ab]$/;

const sorted = (list: Iterable<string>) => [...new Set(list)].toSorted();
const missing = (from: readonly string[], what: readonly string[]) =>
  what.filter((each) => !from.includes(each));

/** Knows how the cluster was when nothing had happened to it, and what each container was given. */
export class Checks {
  readonly #machines: readonly Machine[];
  /** by the machine's name */
  readonly #first = new Map<string, Sight>();
  /** addresses by a container's id */
  readonly #given = new Map<string, string>();

  private constructor(machines: readonly Machine[]) {
    this.#machines = machines;
  }

  /** @throws when things are not right from the beginning */
  static async create(machines: readonly Machine[]): Promise<Checks> {
    const checks = new Checks(machines);
    let wrong: string[] = [];
    // Again if something was there at the first look that only comes and goes.
    await until('two looks agree', async () => {
      try {
        const sights = await Promise.all(machines.map(sightOf));
        for (const sight of sights) checks.#first.set(sight.machine.name, sight);
        wrong = await checks.complaints();
      } catch (error) {
        wrong = [messageOf(error)];
      }
      return wrong.length === 0;
    }).catch((error: unknown) => {
      throw new Error(`wrong before any fault: ${wrong.join('; ')}`, { cause: error });
    });
    return checks;
  }

  /** Looks at everything once. @returns what is wrong */
  async complaints(): Promise<string[]> {
    const looks = await Promise.allSettled(this.#machines.map(sightOf));
    const blind = looks.flatMap((look) => (look.status === 'rejected' ? [messageOf(look.reason)] : []));
    if (blind.length > 0) return blind;
    const sights = looks.flatMap((look) => (look.status === 'fulfilled' ? [look.value] : []));
    const attached = this.#attached(sights);
    // Without their addresses it can't be said what is right.
    if (attached.length > 0) return attached;
    const [names, pings] = await Promise.all([namesWrong(sights), pingsLost(sights)]);
    return [...names, ...pings, ...sights.flatMap((sight) => this.#leftOver(sight))];
  }

  /** Every running container has one address, the one it had, and nobody else's. */
  #attached(sights: readonly Sight[]): string[] {
    const owners = new Map<string, string>();
    return sights.flatMap(({ running }) =>
      running.flatMap(({ id, name, addresses }) => {
        const [address] = addresses;
        if (address === undefined || addresses.length > 1)
          return [`${name} has ${addresses.join(' and ') || 'no address'}`];
        const owner = owners.get(address);
        owners.set(address, name);
        const before = this.#given.get(id) ?? address;
        this.#given.set(id, before);
        return [
          ...(owner === undefined ? [] : [`${address} is that of ${owner} and of ${name}`]),
          ...(before === address ? [] : [`${name} had ${before}, and has ${address}`]),
        ];
      }),
    );
  }

  #leftOver(sight: Sight): string[] {
    const first = this.#first.get(sight.machine.name) ?? sight;
    const ours = (links: readonly string[]) => links.filter((link) => /weave|vethwe|vxlan/.test(link));
    const own = [
      ...ours(first.links).filter((link) => !link.startsWith('vethwepl') && !probeLink.test(link)),
      ...sight.running.map(({ pid }) => `vethwepl${pid}`),
    ];
    const compare = (what: string, now: readonly string[], right: readonly string[]) => [
      ...missing(right, now).map((each) => `${what} left behind: ${each}`),
      ...missing(now, right).map((each) => `${what} missing: ${each}`),
    ];
    const files = ({ files }: Sight) => files.filter((file) => !changing.test(file));
    return [
      ...compare('link', ours(sight.links), own),
      ...compare('namespace', sight.namespaces, first.namespaces),
      ...compare('rule', sorted(sight.rules), sorted(first.rules)),
      ...compare('file', files(sight), files(first)),
      ...processesWrong(sight, first),
    ].map((text) => `${sight.machine.name}: ${text}`);
  }
}

/** Programs of which there is one, or as many as there were. */
const kinds = [
  / \S*daemon\/main\.js$/,
  /^etcd /,
  /^wireguard-go /,
  /^(ip|bridge) -force -batch/,
  /\/netns-worker$/,
] as const;
/** of the laboratory, the engine, and what containers run */
const others =
  /^(sh .*host-init\.sh|sleep|bash -c|ps -eo|dockerd|containerd|\S*containerd-shim|\S*docker-proxy|\/w\/w|runc init$)/;

/** as ps shows what has ended, but has not been waited for yet */
const ended = / <defunct>$/;

function processesWrong(sight: Sight, first: Sight): string[] {
  const count = ({ processes }: Sight, kind: RegExp) => processes.filter((line) => kind.test(line)).length;
  const wrong = kinds.flatMap((kind, i) => {
    const [now, right] = [count(sight, kind), count(first, kind)];
    // A batch or worker that has ended begins again when it is needed.
    const few = now < right && i < 3;
    return now > right || few ? [`${now} processes ${kind.source}, not ${right}`] : [];
  });
  const shims = count(sight, /^\S*containerd-shim/);
  // Where an engine is killed amid a start, what it was starting stays until that container is started again.
  const begun = count(sight, /^runc init$/);
  if (shims !== sight.running.length + begun)
    wrong.push(`${shims} shims of the engine for ${sight.running.length} containers`);
  const strange = sight.processes.filter(
    (line) => ![...kinds, others, ended].some((kind) => kind.test(line)),
  );
  return [...wrong, ...strange.map((line) => `process left behind: ${line}`)];
}

/** Every machine knows each running container's name, and no other. */
async function namesWrong(sights: readonly Sight[]): Promise<string[]> {
  const right = new Map(
    sights.flatMap(({ running }) =>
      running.map(({ name, addresses }) => [`${name}.weave.local.`, addresses[0]?.replace(/\/.*/, '') ?? '']),
    ),
  );
  const wanted = sorted([...right].map(([name, address]) => `${name} ${address}`));
  const wrong = sights.flatMap(({ machine, report }) => {
    const now = sorted((report.DNS?.Entries ?? []).map(({ Hostname, Address }) => `${Hostname} ${Address}`));
    return [
      ...missing(wanted, now).map((entry) => `${machine.name} still has the name ${entry}`),
      ...missing(now, wanted).map((entry) => `${machine.name} has not the name ${entry}`),
    ];
  });
  if (wrong.length > 0) return wrong;
  return (await Promise.all(sights.map((sight) => wrongAnswers(sight, right)))).flat();
}

async function pingsLost(sights: readonly Sight[]): Promise<string[]> {
  const targets = sights.flatMap(({ running }) =>
    running.map(({ addresses }) => addresses[0]?.replace(/\/.*/, '') ?? ''),
  );
  const lost = await Promise.all(sights.map((sight) => failedPings(sight, targets)));
  return lost.flat().map((pair) => `no ping from ${pair}`);
}
