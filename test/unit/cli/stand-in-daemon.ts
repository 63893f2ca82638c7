// What `launch` starts in the tests: serves the control socket of TEST_SOCKET, and does what TEST_MODE says.
import { readFileSync, writeSync } from 'node:fs';
import { ControlServer, type OperationHandlers } from '../../../src/control/server.ts';
import { silent } from '../../../src/lib/log.ts';

const { TEST_SOCKET: path = '', TEST_MODE: mode } = process.env;
const config = readFileSync(0, 'utf8');

console.log(`password ${JSON.parse(config).password}`);
if (mode === 'refuse') {
  writeSync(3, '{"code":"RANGE_OVERLAPS","message":"10.32.0.0/12 overlaps a route"}\n');
  process.exit(1);
}
if (mode === 'crash') throw new Error('boom');

const server = await ControlServer.listen(
  path,
  {
    ping: async () => ({ pid: process.pid, version: '0', ready: mode !== 'hang' }),
    report: async () => ({ Proxy: { Addresses: ['tcp://127.0.0.1:12375'] } }),
    stop: async () => {
      // Some time after the answer, as the real one.
      setTimeout(() => server.close(), 100);
      return {};
    },
  } as unknown as OperationHandlers,
  { logger: silent },
);
if (mode !== 'hang') writeSync(3, '{"ready":true}\n');
