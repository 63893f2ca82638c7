import type { Handler } from '../intercept/contract.ts';

/** Containers, as far as commands run in them are concerned. */
export interface Execs {
  /** Resolves once a container that is to be attached is, or can't be for now; soon for all others. */
  attached(idOrName: string, signal: AbortSignal): Promise<void>;
}

/** POST containers/{id}/exec: the command is made once the container has its network, and is not changed. */
export function execInContainer(execs: Execs): Handler {
  return async (call) => {
    await execs.attached(call.route.id, call.signal);
    return call.forward();
  };
}
