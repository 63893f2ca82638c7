/** The engine's calls that the proxy looks at; `hijack` ones turn the connection into a raw stream. */
export type RouteName =
  | 'create'
  | 'start'
  | 'restart'
  | 'exec'
  | 'inspect'
  | 'inspectExec'
  | 'commit'
  | 'hijack';

/** A recognised request. */
export interface Route {
  readonly name: RouteName;
  /** the container or exec as the client named it, decoded; empty for create and commit */
  readonly id: string;
  readonly query: URLSearchParams;
}

// As the engine's router has it: names may hold slashes but no newline, and nothing may follow.
const patterns: readonly (readonly [method: string, name: RouteName, path: RegExp])[] = [
  ['POST', 'create', /^\/containers\/create$/],
  ['POST', 'start', /^\/containers\/([^\n]*)\/start$/],
  ['POST', 'restart', /^\/containers\/([^\n]*)\/restart$/],
  ['POST', 'exec', /^\/containers\/([^\n]*)\/exec$/],
  ['POST', 'commit', /^\/commit$/],
  ['GET', 'inspect', /^\/containers\/([^\n]*)\/json$/],
  ['GET', 'inspectExec', /^\/exec\/([^\n]*)\/json$/],
  ['POST', 'hijack', /^\/containers\/([^\n]*)\/attach$/],
  ['GET', 'hijack', /^\/containers\/([^\n]*)\/attach\/ws$/],
  ['POST', 'hijack', /^\/exec\/([^\n]*)\/start$/],
  ['POST', 'hijack', /^\/(?:session|grpc)$/],
];

/**
 * Recognises a request as the engine would: a path that the engine redirects (`//`, `.`, `..`) or does not know is
 * undefined, one that it decodes (`%63reate`, `%2F`) or takes from an absolute target is the same as plain.
 */
export function match(method: string, target: string): Route | undefined {
  if (method !== 'POST' && method !== 'GET') return undefined;
  const mark = target.indexOf('?');
  const path = decode(mark < 0 ? target : target.slice(0, mark));
  if (path === undefined || /\/\/|\/\.\.?(?:\/|$)/.test(path)) return undefined;
  const version = /^\/v([0-9.]+)(?=\/)/.exec(path)?.[1];
  const bare = version === undefined ? path : path.slice(version.length + 2);
  for (const [wanted, name, pattern] of patterns) {
    const found = wanted === method ? pattern.exec(bare) : null;
    if (found) {
      const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
      return { name, id: found[1] ?? '', query };
    }
  }
  return undefined;
}

/** Path and query of a target, without the scheme and host of an absolute one. */
export function originForm(target: string): string {
  return target.replace(/^[a-zA-Z][a-zA-Z0-9+.-]*:(?:\/\/[^/?]*)?(?=\/)/, '');
}

function decode(path: string): string | undefined {
  const origin = originForm(path);
  if (!origin.includes('%')) return origin;
  try {
    return decodeURIComponent(origin);
  } catch {
    // An escape that is not one: the engine refuses it. One that is not UTF-8: no container has such a name.
    return undefined;
  }
}
