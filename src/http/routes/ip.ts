import { WeaveError } from '../../lib/errors.ts';
import { Cidr, type Ip4, parseIp } from '../../model/address.ts';
import { type Answer, notFound, type RouteCall, type Routes } from '../router.ts';

/** What keeps the addresses. */
export interface Addresses {
  readonly defaultSubnet: Cidr;
  owners(): string[];
  owned(owner: string): Cidr[];
  allocate(owner: string, subnet: Cidr): Promise<Cidr>;
  claim(owner: string, cidr: Cidr): Promise<Cidr>;
  release(owner: string, ip?: Ip4): Promise<Cidr[]>;
}

/** What knows the containers. */
export interface ContainerLookup {
  inspect(idOrName: string): Promise<{ id: string; running: boolean } | undefined>;
}

/** `/ip`, `/ip/ID`, `/ip/ID/CIDR`: the addresses of containers, and of owners that are none. */
export function ipRoutes(addresses: Addresses, containers: ContainerLookup): Routes {
  /** Keeps what `take` gives; with `?check-alive=true`, only for a container that runs. */
  async function keep(
    { path: { id }, parameters }: RouteCall,
    take: (owner: string) => Promise<Cidr>,
  ): Promise<Cidr> {
    const owner = await ownerOf(containers, id);
    const before = addresses.owned(owner);
    const cidr = await take(owner);
    if (parameters.get('check-alive') !== 'true') return cidr;
    try {
      // After it was taken: from here on, a container's end gives its addresses back.
      await checkAlive(containers, id);
    } catch (error) {
      if (!before.some(({ ip }) => ip === cidr.ip)) await addresses.release(owner, cidr.ip);
      throw error;
    }
    return cidr;
  }

  async function lookup({ path: { id } }: RouteCall, matches: (cidr: Cidr) => boolean): Promise<Answer> {
    const found = addresses.owned(await ownerOf(containers, id)).filter(matches);
    return found.length > 0 ? { text: found.join(' ') } : notFound(`${id} has no such address`);
  }

  async function release({ path: { id } }: RouteCall, ip?: Ip4): Promise<Answer> {
    const released = await addresses.release(await ownerOf(containers, id), ip);
    return released.length > 0 ? {} : notFound(`${id} has no such address`);
  }

  return {
    '/ip': {
      GET: () => ({
        text: addresses
          .owners()
          .map((owner) => `${owner} ${addresses.owned(owner).join(' ')}\n`)
          .join(''),
      }),
    },
    '/ip/:id': {
      GET: (call) => lookup(call, () => true),
      POST: async (call) => ({
        text: String(await keep(call, (owner) => addresses.allocate(owner, addresses.defaultSubnet))),
      }),
      DELETE: (call) => release(call),
    },
    '/ip/:id/:cidr': {
      GET: (call) => {
        const { subnet } = Cidr.parse(call.path.cidr);
        return lookup(call, (cidr) => cidr.subnet.equals(subnet));
      },
      POST: async (call) => {
        const { subnet } = Cidr.parse(call.path.cidr);
        return { text: String(await keep(call, (owner) => addresses.allocate(owner, subnet))) };
      },
      PUT: async (call) => {
        const cidr = Cidr.parse(call.path.cidr);
        return { text: String(await keep(call, (owner) => addresses.claim(owner, cidr))) };
      },
      DELETE: (call) => release(call, parseIp(call.path.cidr.replace(/\/\d+$/, ''))),
    },
  };
}

/** The container's full id, or the word itself where it names none, such as `weave:expose`. */
export async function ownerOf(containers: ContainerLookup, id: string): Promise<string> {
  if (!/^[a-zA-Z0-9][\w.:-]*$/.test(id))
    throw new WeaveError('BAD_REQUEST', `'${id}' can't be a container's id`);
  return (await containers.inspect(id))?.id ?? id;
}

/** @throws WeaveError NO_SUCH_CONTAINER, NOT_ATTACHABLE */
export async function checkAlive(containers: ContainerLookup, id: string): Promise<void> {
  const container = await containers.inspect(id);
  if (container === undefined) throw new WeaveError('NO_SUCH_CONTAINER', `no container is called ${id}`);
  if (!container.running) throw new WeaveError('NOT_ATTACHABLE', `container ${id} does not run`);
}
