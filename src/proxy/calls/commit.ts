import type { CreatedRecords } from '../../model/created.ts';
import type { Call, Handler } from '../intercept/contract.ts';
import { hasShim, showAsCreated } from './as-created.ts';
import { JsonObject, UnexpectedType } from './body.ts';
import type { Provision } from './provision.ts';

/** What committing works with. */
export interface CommitDeps {
  containers: {
    /** Container inspect as the engine answers it, whatever its status. */
    inspectAnswer(idOrName: string): Promise<{ status: number; body: string }>;
  };
  created: CreatedRecords;
  provision: Provision;
}

/** POST commit: the image gets the user's command, and not the shim. */
export function commitContainer({ containers, created, provision }: CommitDeps): Handler {
  return async (call) => {
    try {
      return await call.forward(await ownConfig(call));
    } catch (error) {
      if (error instanceof UnexpectedType) return call.forward();
      throw error;
    }
  };

  /** The body with a configuration that leaves the engine nothing to take from the container's command. */
  async function ownConfig(call: Call): Promise<Buffer | undefined> {
    const original = await call.body();
    const given = JsonObject.parse(original);
    // The engine refuses anything but an object, or nothing.
    if (!given && !/^\s*(null\s*)?$/.test(original.toString())) return undefined;
    const found = await containers.inspectAnswer(call.route.query.get('container') ?? '');
    const container = found.status === 200 ? JsonObject.parse(Buffer.from(found.body)) : undefined;
    if (!container || !hasShim(container)) return undefined;
    showAsCreated(container, await created.get(container.string('Id')), provision);
    const config = container.object('Config');
    if (!config) return undefined;
    const entrypoint = config.command('Entrypoint') ?? [];
    if (!given) {
      // Unlike a missing list, an empty one is not filled from the container.
      config.set('Entrypoint', entrypoint);
      return config.toBuffer();
    }
    const ownEntrypoint = given.command('Entrypoint');
    if ((ownEntrypoint ?? []).length > 0) return undefined;
    if ((given.command('Cmd') ?? []).length === 0) given.set('Cmd', config.command('Cmd') ?? null);
    if (ownEntrypoint === undefined) given.set('Entrypoint', entrypoint);
    return given.toBuffer();
  }
}
