import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { howToInstall, neededTools } from '../../lib/tools.ts';
import { type Check, failed, ok } from '../check.ts';

/** Found out at launch, not at the first container. */
export const tools: Check<unknown> = {
  name: 'tools',
  about: 'Every program that weavets runs is installed.',
  code: 'TOOL_MISSING',
  when: 'launch',
  async run() {
    for (const tool of neededTools) {
      if (await inPath(tool)) continue;
      return failed(`'${tool}' is not in PATH (${process.env.PATH}); ${howToInstall(tool)}`);
    }
    return ok('every program that weavets runs is installed');
  },
};

/** True for a program that can be run by its name. */
export async function inPath(tool: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(':');
  const tries = folders.map((folder) => access(join(folder, tool), constants.X_OK));
  return Promise.any(tries).then(
    () => true,
    () => false,
  );
}
