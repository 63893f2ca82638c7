import type { Handler } from '../intercept/contract.ts';

/** Containers, for commands run in them. */
export interface Execs {
  /** Resolves once a container is attached, or can't be for now; soon for those that won't be. */
  attached(idOrName: string, signal: AbortSignal): Promise<void>;
}

/** POST containers/{id}/exec: the command is made once the container has its network, and is not changed. */
export function execInContainer(execs: Execs): Handler {
  return async (call) => {
    await execs.attached(call.route.id, call.signal);
    return call.forward();
  };
}
