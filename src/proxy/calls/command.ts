import { shimProgram, withoutShim } from '../../model/shim.ts';
import type { JsonObject } from './body.ts';
import type { Image } from './image.ts';

/** What a container runs, as the engine makes it of request and image. */
export interface Command {
  /** Config.Entrypoint as inspect will show it */
  entrypoint: readonly string[] | null;
  /** Config.Cmd as inspect will show it */
  cmd: readonly string[] | null;
  /** true: `cmd` is the image's */
  inherited: boolean;
}

/** The command of a container to be created. @returns undefined if it has none, which the engine will refuse */
export function commandOf(config: JsonObject, image: Image): Command | undefined {
  const asked = config.command('Entrypoint');
  const ownCmd = config.command('Cmd');
  // With an entrypoint of its own the request does without the image's Cmd.
  const inherited = (ownCmd ?? []).length === 0 && (asked ?? []).length === 0;
  const cmd = (inherited ? image.cmd : ownCmd) ?? null;
  const entrypoint = effectiveEntrypoint(asked, image);
  if ((entrypoint ?? []).length === 0 && (cmd ?? []).length === 0) return undefined;
  return { entrypoint, cmd, inherited };
}

/** Puts the shim, bound at `target`, before the command. */
export function prefixCommand(
  config: JsonObject,
  { command, target }: { command: Command; target: string },
): void {
  config.set('Entrypoint', [shimProgram(target), ...(command.entrypoint ?? [])]);
  // The engine takes nothing from the image for a container with an entrypoint of its own.
  if (command.inherited && command.cmd !== null) config.set('Cmd', command.cmd);
}

function effectiveEntrypoint(asked: string[] | undefined, image: Image): readonly string[] | null {
  const given = asked ?? image.entrypoint ?? null;
  // This is how docker run --entrypoint= says: none, not even the image's.
  if (given?.length === 1 && given[0] === '') return null;
  if (asked === undefined) return given;
  // Copied from a container that has the shim.
  const own = withoutShim(asked);
  return own.length === 0 && asked.length > 0 ? null : own;
}
