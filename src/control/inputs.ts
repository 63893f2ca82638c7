import * as v from 'valibot';
import { WeaveError } from '../lib/errors.ts';
import { type Operation, type Operations, operations } from './contract.ts';

/** True if there is an operation of this name. */
export function isOperation(name: string): name is Operation {
  return Object.hasOwn(operations, name);
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
  const result = v.safeParse(operations[operation].in as v.GenericSchema, value);
  if (result.success) return result.output as Operations[K]['in'];
  const [issue] = result.issues;
  const field = issue.path?.map(({ key }) => key).join('.');
  throw new WeaveError(
    'BAD_REQUEST',
    `'${operation}' needs '${field}' (${issue.expected}), and got ${issue.received}`,
  );
}

function parseJson(operation: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new WeaveError('BAD_REQUEST', `'${operation}' takes a JSON object`, { cause: error });
  }
}
