/** What is shown, as the part of the address after `#` says it. */
export type Route =
  | { page: 'network' | 'hosts' | 'names' | 'events' | 'doctor' }
  | { page: 'container' | 'host'; id: string };

export function routeOf(hash: string): Route {
  const [page = '', id = ''] = hash.replace(/^#\/?/, '').split('/');
  if (page === 'hosts' || page === 'names' || page === 'events' || page === 'doctor') return { page };
  if ((page === 'container' || page === 'host') && id !== '') return { page, id: decode(id) };
  return { page: 'network' };
}

export const containerLink = (id: string) => `#/container/${id.slice(0, 12)}`;
export const hostLink = (name: string) => `#/host/${encodeURIComponent(name)}`;

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
