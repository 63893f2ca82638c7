import { after } from 'node:test';
import { silent } from '../../../src/lib/log.ts';
import { EtcdStore } from '../../../src/store/etcd.ts';
import { Etcd } from '../../support/etcd.ts';
import { storeContract } from './contract.ts';

const etcd = await Etcd.start();
after(() => etcd[Symbol.asyncDispose]());
storeContract('etcd', (name) =>
  EtcdStore.connect({ endpoints: etcd.endpoints, prefix: `/${name}/`, logger: silent }),
);
