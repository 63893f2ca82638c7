import { closeSync } from 'node:fs';
import { run } from '../lib/exec.ts';
import type { NetnsProcess } from './veth.ts';

/** ms that the first attempt may take; those after it have longer */
const patience = 1_000;

/** Asks for a name, and prints the addresses, or nothing: it was not answered. `$1` server, `$2` name */
const ask = `const { Resolver } = require('node:dns').promises;
const [server, name] = process.argv.slice(1);
const resolver = new Resolver({ timeout: ${patience}, tries: 2 });
resolver.setServers([server]);
resolver.resolve4(name).catch((error) => {
  if (/TIMEOUT|ECONNREFUSED/.test(error.code)) process.exit(1);
  return [];
}).then((found) => process.stdout.write(found.join(' ')));`;

/**
 * Sends a byte to a port at which nobody is expected: the kernel at the other end says so, and that answer has come all
 * the way there and back. `$1` address
 */
const knock = `const socket = require('node:dgram').createSocket('udp4');
const answered = () => process.exit(0);
socket.on('error', answered).on('message', answered);
socket.connect(7, process.argv[1], () => {
  let tries = 0;
  const send = () => (tries++ < 6 ? socket.send('?', () => {}) : process.exit(1));
  send();
  setInterval(send, ${patience / 2});
});`;

/**
 * Asks a name server from within a container's network namespace, as the container would.
 * @param server `ip:port` @returns the addresses; undefined: no answer
 */
export async function askFrom(
  container: NetnsProcess,
  { server, name }: { server: string; name: string },
): Promise<string[] | undefined> {
  const { code, stdout } = await inside(container, [ask, server, name]);
  return code === 0 ? stdout.split(' ').filter(Boolean) : undefined;
}

/** True if an address is reached from within a container's network namespace, and its answer comes back. */
export async function reachesFrom(container: NetnsProcess, address: string): Promise<boolean> {
  return (await inside(container, [knock, address])).code === 0;
}

/** Only the network is the container's: program and files are the host's. */
async function inside(container: NetnsProcess, [script = '', ...args]: string[]) {
  const netns = container.openNetns();
  try {
    const enter = ['nsenter', `--net=/proc/${process.pid}/fd/${netns}`, '--'] as const;
    return await run([...enter, process.execPath, '-e', script, ...args], { script: true });
  } finally {
    closeSync(netns);
  }
}
