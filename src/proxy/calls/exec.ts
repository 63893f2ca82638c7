import type { Handler } from '../intercept/contract.ts';
import { JsonObject, UnexpectedType } from './body.ts';
import { prefixed } from './provision.ts';

/** Containers, as far as commands run in them are concerned. */
export interface Execs {
  /** True for a container that has the shim, and is attached. */
  shimmed(idOrName: string): Promise<boolean>;
}

/** POST containers/{id}/exec: the command waits for the network, as the container's own did. */
export function execInContainer(execs: Execs): Handler {
  return async (call) => {
    const body = await call.body();
    if (!(await execs.shimmed(call.route.id))) return call.forward();
    const config = JsonObject.parse(body);
    try {
      const command = config?.strings('Cmd') ?? [];
      // Without a command the engine refuses, in its own words.
      if (config === undefined || command.length === 0) return call.forward();
      config.set('Cmd', prefixed(command));
      return call.forward(config.toBuffer());
    } catch (error) {
      if (error instanceof UnexpectedType) return call.forward();
      throw error;
    }
  };
}
