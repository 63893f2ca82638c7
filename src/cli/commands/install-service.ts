import { flag } from '../../config/option.ts';
import { WeaveError } from '../../lib/errors.ts';
import { command, noWords } from '../command.ts';
import { refuseSecond } from '../process/running.ts';
import { environmentFile, install, installEnvironment, isPackaged, unitFiles } from '../service/installed.ts';
import { serviceUnit, socketUnit } from '../service/service-units.ts';
import {
  ensureSocketGroup,
  systemctl,
  systemdRuns,
  systemdVersion,
  units as unitNames,
} from '../service/systemd.ts';

export const installService = command({
  name: 'install-service',
  about: 'Print the systemd units that start weavets with the machine, or install them',
  json: false,
  options: {
    write: flag('Write them to /etc/systemd/system'),
    install: flag('Write them, enable them and start weavets'),
  },
  examples: [
    ['weavets install-service', 'shows what would be installed'],
    ['weavets install-service --install', 'weavets runs, now and after each boot'],
  ],
  async run({ words, write, install: start }, context) {
    noWords(words);
    const units = [
      [unitFiles.socket, socketUnit()],
      [unitFiles.service, serviceUnit(undefined, await systemdVersion())],
    ] as const;
    if (!write && !start) {
      for (const [path, text] of units) context.out(`# ${path}\n${text}`);
      return;
    }
    if (start) {
      if (!systemdRuns()) {
        throw new WeaveError(
          'LAUNCH_FAILED',
          'systemd does not run this host; --write writes the units all the same, and weavets launch starts weavets',
        );
      }
      await refuseSecond(context.control);
    }
    await ensureSocketGroup();
    for (const [path, text] of isPackaged() ? [] : units) {
      await install(path, text);
      context.out(path);
    }
    if (await installEnvironment(context.env)) context.out(environmentFile);
    if (!start) return context.err('next: systemctl daemon-reload && systemctl enable --now weavets');
    await systemctl('daemon-reload');
    await systemctl('enable', '--now', ...unitNames);
  },
});
