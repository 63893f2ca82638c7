import { setTimeout as delay } from 'node:timers/promises';
import type { EngineClient } from '../docker/client.ts';
import { type CommandError, commandError } from '../docker/command-error.ts';
import type { ContainerInfo } from '../docker/types.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { CreatedRecords } from '../model/created.ts';
import { parseFinding, type ShimFinding, shimProgram } from '../model/shim.ts';
import { ContainerProcess } from './container-process.ts';

/** Longest wait for a shim to look for its command, ms: the machine may be busy. */
const patience = 10_000;
const longestPause = 50;
/** How long it is known, for whoever started the container, and for the engine's event of its start, ms. */
const kept = 60_000;

/** Collaborators of outcomes. */
export interface ShimOutcomesDeps {
  attachments: { get(id: string): { info: ContainerInfo } | undefined };
  engine: Pick<EngineClient, 'stop' | 'versions' | 'inspectAnswer'>;
  created: CreatedRecords;
  logger: Logger;
}

/**
 * Learns whether an attached container's shim could become its command. One that could not says so in its name, and
 * waits: then the container is stopped, so that no policy starts it again, as none would without us.
 */
export class ShimOutcomes {
  readonly #deps: ShimOutcomesDeps;
  /** by container: pending outcomes, and others for a while, as the container may be gone by then */
  readonly #known = new Map<string, { pid: number; failure: Promise<CommandError | undefined> }>();

  constructor(deps: ShimOutcomesDeps) {
    this.#deps = deps;
  }

  /**
   * Resolves once the shim of a container that has just been attached has looked for its command.
   * @returns undefined: it can be run, or the container has no shim; otherwise what the engine says of such a command,
   * and the container is stopped
   */
  failure(id: string): Promise<CommandError | undefined> {
    const info = this.#deps.attachments.get(id)?.info;
    const known = this.#known.get(id);
    if (known && (!info || known.pid === info.pid)) return known.failure;
    if (!info?.shim) return Promise.resolve(undefined);
    const learning = { pid: info.pid, failure: this.#learn(info, shimProgram(info.shim.target)) };
    this.#known.set(id, learning);
    const forget = () => this.#known.get(id) === learning && this.#known.delete(id);
    void learning.failure.then(() => setTimeout(forget, kept).unref());
    return learning.failure;
  }

  /** The container is about to be started again. */
  forget(id: string): void {
    this.#known.delete(id);
  }

  async #learn({ id, pid, args }: ContainerInfo, program: string): Promise<CommandError | undefined> {
    const finding = await outcome(id, pid, program);
    if (finding === 'runnable') return undefined;
    const { engine, logger } = this.#deps;
    try {
      const error = commandError(finding, args[0] ?? '', await engine.versions());
      await engine.stop(id);
      await this.#keep(id, error);
      return error;
    } catch (error) {
      logger.warn(
        { container: id.slice(0, 12), reason: messageOf(error) },
        "cannot stop a container whose command can't be run",
      );
      return undefined;
    }
  }

  /** For inspect, which without us would show a container that has not run. */
  async #keep(id: string, { message, exitCode }: CommandError): Promise<void> {
    const { engine, created } = this.#deps;
    const [record, answer] = [await created.get(id), await engine.inspectAnswer(id)];
    if (record === undefined || answer.status !== 200) return;
    const { State } = JSON.parse(answer.body) as { State: { FinishedAt: string } };
    created.put(id, { ...record, failure: { message, exitCode, finishedAt: State.FinishedAt } });
  }
}

/** Looks once, as a rule: the engine's answer to a start comes long after the shim has looked. */
async function outcome(id: string, pid: number, program: string): Promise<ShimFinding | 'runnable'> {
  const process = ContainerProcess.open(pid, id);
  if (process === undefined) return 'runnable';
  try {
    const end = performance.now() + patience;
    for (let pause = 1; performance.now() < end; pause = Math.min(pause * 2, longestPause)) {
      const found = look(process, program);
      if (found !== undefined) return found;
      await delay(pause);
    }
  } catch {
    // It has ended; one that could not become its command does not end by itself.
  } finally {
    process.close();
  }
  return 'runnable';
}

/** @returns undefined: the shim has not looked yet @throws when it has ended */
function look(process: ContainerProcess, shim: string): ShimFinding | 'runnable' | undefined {
  const { title } = process;
  // A runtime's own process, before the shim: `runc:[2:INIT]`.
  if (/^\w+:\[/.test(title)) return undefined;
  const finding = parseFinding(title);
  // Any program may call itself that. Which it is costs more to ask.
  if (finding === undefined && title !== 'w') return 'runnable';
  return process.program === shim ? finding : 'runnable';
}
