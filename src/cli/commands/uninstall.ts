import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { flag } from '../../config/option.ts';
import { WeaveError } from '../../lib/errors.ts';
import { paths } from '../../model/paths.ts';
import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';
import { resetAll } from '../process/reset-all.ts';
import {
  completionFiles,
  environmentFile,
  isPackaged,
  uninstall as remove,
  unitFiles,
} from '../service/installed.ts';
import { systemctl, systemdRuns, units as unitNames } from '../service/systemd.ts';

export const uninstall = command({
  name: 'uninstall',
  about: 'Reset, also remove units and completions, and print what was removed',
  options: { force: flag("Don't ask, and go on even if the daemon does not stop") },
  examples: [['weavets uninstall', 'nothing of weavets is left on this host but the program']],
  async run({ words, force = false, json }, context) {
    noWords(words);
    const question = 'Remove weavets from this host? Containers keep running, without this network.';
    const agreed = force || (await context.confirm(question));
    if (agreed === undefined) {
      throw new WeaveError(
        'USAGE',
        'there is no terminal to ask on; to remove weavets without asking, use --force',
      );
    }
    if (!agreed) return context.err('nothing was removed');
    const units = Object.values(unitFiles).filter((path) => existsSync(path));
    const names = isPackaged() ? unitNames : units.map((path) => basename(path));
    if (names.length > 0 && systemdRuns()) await systemctl('disable', '--now', ...names);
    const state = [paths.state, paths.log].filter((path) => existsSync(path));
    await resetAll(context, force);
    const removed: string[] = state.filter((path) => !existsSync(path));
    for (const path of [...units, environmentFile, ...Object.values(completionFiles)]) {
      if (await remove(path)) removed.push(path);
    }
    if (units.length > 0 && systemdRuns()) await systemctl('daemon-reload');
    if (json) return context.out(toJson<'uninstall'>({ removed }));
    for (const path of removed) context.out(`removed ${path}`);
    if (removed.length === 0) context.err('weavets was not installed');
  },
});
