import { WeaveError } from '../lib/errors.ts';
import type { Operation, Operations } from './contract.ts';

type Kind = 'string' | 'boolean' | 'strings' | 'string|null' | 'boolean?';

/** How each kind of field is told from anything else that JSON can hold. */
const isKind: Record<Kind, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  strings: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  'string|null': (value) => value === null || typeof value === 'string',
  'boolean?': (value) => value === undefined || typeof value === 'boolean',
};

type Shapes = { [K in Operation]: Record<keyof Operations[K]['in'], Kind> };

/** The fields that each operation takes; the compiler holds their names against the contract. */
const shapes: Shapes = {
  ping: {},
  report: {},
  ps: { containers: 'strings' },
  why: {},
  stop: {},
  attach: {
    container: 'string',
    requests: 'strings',
    rewriteHosts: 'boolean',
    addHosts: 'strings',
    multicastRoute: 'boolean',
    dns: 'boolean?',
  },
  detach: { container: 'string', requests: 'strings' },
  expose: { requests: 'strings', fqdn: 'string|null', masquerade: 'boolean' },
  hide: { requests: 'strings' },
  dnsAdd: { container: 'string|null', ips: 'strings', fqdn: 'string|null' },
  dnsRemove: { container: 'string|null', ips: 'strings', fqdn: 'string|null' },
  dnsLookup: { name: 'string' },
  dnsArgs: {},
  rmpeer: { peers: 'strings' },
  connect: { peers: 'strings', replace: 'boolean' },
  forget: { peers: 'strings' },
  prime: {},
};

/** True if there is an operation of this name. */
export function isOperation(name: string): name is Operation {
  return Object.hasOwn(shapes, name);
}

/**
 * The input of an operation out of a request's body; an empty body is `{}`. Fields it does not know are dropped.
 * @throws WeaveError BAD_REQUEST that names the field
 */
export function parseInput<K extends Operation>(operation: K, body: string): Operations[K]['in'] {
  const value = body.trim() === '' ? {} : parseJson(operation, body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WeaveError('BAD_REQUEST', `'${operation}' takes a JSON object`);
  }
  const fields = Object.entries<Kind>(shapes[operation]).map(([field, kind]) => {
    const given: unknown = Reflect.get(value, field);
    if (!isKind[kind](given)) {
      throw new WeaveError('BAD_REQUEST', `'${operation}' needs '${field}' (${kind})`);
    }
    return [field, given];
  });
  return Object.fromEntries(fields) as Operations[K]['in'];
}

function parseJson(operation: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new WeaveError('BAD_REQUEST', `'${operation}' takes a JSON object`, { cause: error });
  }
}
