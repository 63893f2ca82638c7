// Fails in every unhandled way, and prints the resulting conditions, if it is still alive.
import { createServer, Socket } from 'node:net';
import { surviveFaults } from '../../../src/daemon/faults.ts';
import { silent } from '../../../src/lib/log.ts';
import { Conditions } from '../../../src/model/conditions.ts';

const conditions = new Conditions({ logger: silent });
surviveFaults(silent, conditions);
const steps = [
  () => void new Socket().connect('/nowhere/socket'),
  () => void createServer().listen('/nowhere/socket'),
  () => void Promise.reject(new Error('rejected')),
  () => {
    throw new Error('thrown');
  },
];
for (const step of steps) {
  setImmediate(step);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log(JSON.stringify(conditions.list().map(({ text }) => text)));
