import { randomBytes } from 'node:crypto';
import { run, runOk } from '../../src/lib/exec.ts';
import { deleteNetns } from './netns.ts';

/**
 * A network that laboratory hosts are plugged into: a bridge in a namespace of its own, 10.250.0.254/24.
 * (In the root namespace br_netfilter and Docker's FORWARD DROP would eat its traffic.)
 */
export class Underlay implements AsyncDisposable {
  readonly netns: string;
  readonly id: string;

  private constructor(id: string) {
    this.id = id;
    this.netns = `wvu-${id}`;
  }

  static async create(): Promise<Underlay> {
    const underlay = new Underlay(randomBytes(3).toString('hex'));
    await runOk(['ip', 'netns', 'add', underlay.netns]);
    await underlay.ip(['link', 'set', 'lo', 'up']);
    await underlay.ip(['link', 'add', 'ul0', 'type', 'bridge', 'mcast_snooping', '0']);
    await underlay.ip(['addr', 'add', '10.250.0.254/24', 'dev', 'ul0']);
    await underlay.ip(['link', 'set', 'ul0', 'up']);
    return underlay;
  }

  ip(args: string[]): Promise<string> {
    return runOk(['ip', '-n', this.netns, ...args]);
  }

  /** Makes eth0 in a host's network namespace, with a way out. @returns what unplugs it */
  async plug(
    netns: string,
    { number, address, mtu }: { number: number; address: string; mtu: number },
  ): Promise<() => Promise<unknown>> {
    const port = `u${number}-${this.id}`;
    const ends = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', netns];
    await runOk(['ip', 'link', 'add', port, 'netns', this.netns, ...ends]);
    await this.ip(['link', 'set', port, 'mtu', String(mtu), 'master', 'ul0', 'up']);
    await runOk(['ip', '-n', netns, 'link', 'set', 'eth0', 'mtu', String(mtu), 'up']);
    await runOk(['ip', '-n', netns, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
    await runOk(['ip', '-n', netns, 'route', 'add', 'default', 'via', '10.250.0.254']);
    // With its namespace it would go, too, but some time later.
    return () => run(['ip', '-n', this.netns, 'link', 'del', port]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteNetns(this.netns);
  }
}
