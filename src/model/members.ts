import { etcdPort } from './ports.ts';

/** A member of etcd as a store names it: `host:port`. Without a port, etcd's own. */
export function withEtcdPort(host: string): string {
  return /:\d+$/.test(host) ? host : `${host}:${etcdPort}`;
}

/** The members of `etcd://HOST:PORT,…` or `etcds://…`, in their order. */
export function membersOf(store: string): string[] {
  return store.replace(/^etcds?:\/\//, '').split(',');
}
