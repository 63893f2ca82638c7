import { existsSync } from 'node:fs';
import { run, runOk } from '../lib/exec.ts';
import { etcdFolder } from './files.ts';

/** Of the host's etcd, where systemd runs it. */
export const memberUnit = 'weavets-etcd.service';

/** True where systemd is PID 1, and this is the state of the host itself. */
export const hasUnit = (folder: string) => folder === etcdFolder && existsSync('/run/systemd/system');

/** How a unit is run. */
export interface UnitOptions {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  /** the only one that it may write to */
  folder: string;
  /** file that its output is added to */
  log: string;
}

/** argv of systemd-run for a unit apart from the daemon's, removed when it ends. */
export function unitCommand({ argv, env, folder, log }: UnitOptions): [string, ...string[]] {
  const properties = [
    'Restart=on-failure',
    'RestartSec=1',
    'OOMScoreAdjust=-500',
    `StandardOutput=append:${log}`,
    `StandardError=append:${log}`,
    `ReadWritePaths=${folder}`,
    'ProtectSystem=strict',
    'ProtectHome=yes',
    'PrivateTmp=yes',
    'PrivateDevices=yes',
    'NoNewPrivileges=yes',
    'CapabilityBoundingSet=',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6',
    'LimitNOFILE=65536',
  ];
  return [
    'systemd-run',
    ...['--quiet', '--collect', `--unit=${memberUnit}`, '--description=etcd of weavets'],
    ...properties.map((property) => `--property=${property}`),
    ...Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`),
    '--',
    ...argv,
  ];
}

export async function startUnit(options: UnitOptions): Promise<void> {
  await runOk(unitCommand(options));
}

/** @returns 0: it does not run */
export async function unitPid(): Promise<number> {
  return Number(await runOk(['systemctl', 'show', '--property=MainPID', '--value', memberUnit]));
}

/** Returns when it has ended; not running is no error. */
export async function stopUnit(): Promise<void> {
  await run(['systemctl', 'stop', memberUnit]);
}
