import { createRequire } from 'node:module';

type Library = typeof import('etcd3');

let loaded: Library | undefined;

/** etcd's client, loaded when it is first needed: it takes 8 MB, and a host that is in no cluster needs none of it. */
export function library(): Library {
  loaded ??= createRequire(import.meta.url)('etcd3') as Library;
  return loaded;
}
