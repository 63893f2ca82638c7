import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Host, until } from './host.ts';

/** A server on the host that knows one name, www.corp.test at 192.0.2.7, and says at once that no other exists. */
export async function nameServer(
  host: Host,
  address: string,
): Promise<AsyncDisposable & { address: string }> {
  const child = host.spawn([
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts'],
    ...[
      '--pid-file=/run/dnsmasq-test.pid',
      `--listen-address=${address}`,
      '--bind-interfaces',
      '--user=root',
    ],
    ...['--local=/#/', '--host-record=www.corp.test,192.0.2.7'],
  ]);
  const ended = once(child, 'exit');
  await until('dnsmasq answers', async () => {
    assert.equal(child.exitCode, null, 'dnsmasq has ended');
    return (
      (await host.run(['dig', '+short', '+time=1', '+tries=1', `@${address}`, 'www.corp.test'])).stdout !== ''
    );
  });
  const dispose = async () => {
    await host.shell('kill $(cat /run/dnsmasq-test.pid)');
    await ended;
  };
  return { address, [Symbol.asyncDispose]: dispose };
}
