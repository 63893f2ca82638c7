import { randomBytes } from 'node:crypto';
import { runOk } from '../../src/lib/exec.ts';
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

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteNetns(this.netns);
  }
}
