import { after } from 'node:test';
import { silent } from '../../../../src/lib/log.ts';
import { EtcdStore } from '../../../../src/store/etcd/etcd.ts';
import { Etcd } from '../../../support/etcd.ts';
import { storeContract } from '../contract.ts';

const etcd = await Etcd.start();
after(() => etcd[Symbol.asyncDispose]());
storeContract('etcd', (name) =>
  EtcdStore.connect({ endpoints: etcd.endpoints, prefix: `/${name}/`, logger: silent }),
);

// Whatever takes longer than that meets a token that has expired.
const withUsers = await Etcd.start({ tls: true, tokenSeconds: 3 });
await withUsers.enableUsers('pass');
after(() => withUsers[Symbol.asyncDispose]());
storeContract('etcd with TLS and users', (name) =>
  EtcdStore.connect({
    endpoints: withUsers.endpoints,
    prefix: `/weavets/${name}/`,
    logger: silent,
    tls: withUsers.pem,
    user: 'weavets',
    password: 'pass',
  }),
);
