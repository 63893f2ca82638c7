import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type Host, until } from '../../test/support/host.ts';

interface EngineEvent {
  Action: string;
  timeNano: number;
}

/** Stages of a run, by what ends them: the engine's events, and the client's exit. */
export const stages = ['create', 'attach', 'connect', 'start', 'die', 'destroy', 'exit'] as const;
type Stage = (typeof stages)[number];

/** Tells the stages of runs by the engine's events. */
export class Stages implements AsyncDisposable {
  readonly #host: Host;
  readonly #follower: ChildProcess;
  readonly #events: EngineEvent[] = [];
  /** its pid on the host: to end nsenter alone would leave it behind */
  #pid = '';

  private constructor(host: Host, follower: ChildProcess) {
    this.#host = host;
    this.#follower = follower;
    let rest = '';
    follower.stdout?.on('data', (data) => {
      const lines = (rest + String(data)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
  }

  static async follow(host: Host): Promise<Stages> {
    const argv = ['docker', '-H', host.engineSocket, 'events', '--format', '{{json .}}'];
    const follower = host.spawn(['sh', '-c', 'echo $$; exec "$0" "$@"', ...argv]);
    const following = new Stages(host, follower);
    // It is there once it tells of something.
    await until('events come', async () => {
      await host.docker('run', '--rm', '--net', 'none', 'busybox', 'true');
      return following.#events.some(({ Action }) => Action === 'destroy');
    });
    return following;
  }

  /** Plays one run. @returns ms from its beginning to each stage's end */
  async timeline(play: () => Promise<void>): Promise<Record<Stage, number>> {
    this.#events.length = 0;
    const began = performance.timeOrigin + performance.now();
    await play();
    const exit = performance.timeOrigin + performance.now() - began;
    await until('its last event has come', () => this.#events.some(({ Action }) => Action === 'destroy'));
    const at = (action: string) =>
      (this.#events.find(({ Action }) => Action === action)?.timeNano ?? 0) / 1e6 - began;
    return {
      create: at('create'),
      attach: at('attach'),
      connect: at('connect'),
      start: at('start'),
      die: at('die'),
      destroy: at('destroy'),
      exit,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#follower, 'close');
    await this.#host.runOk(['kill', this.#pid]);
    await ended;
  }

  #take(line: string): void {
    if (this.#pid === '') this.#pid = line;
    else this.#events.push(JSON.parse(line) as EngineEvent);
  }
}
