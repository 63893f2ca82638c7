import { launchNotes } from '../../config/launch-notes.ts';
import { launchOptions } from '../../config/launch-options.ts';
import { WeaveError } from '../../lib/errors.ts';
import { paths } from '../../model/paths.ts';
import { command } from '../command.ts';
import { warnOfConditions } from '../conditions.ts';
import { toJson } from '../output.ts';
import { daemonFile, importDaemon } from '../process/daemon.ts';
import { refuseBesideUnits, refuseSecond } from '../process/running.ts';

export const launch = command({
  name: 'launch',
  operands: '[PEER…]',
  about: 'Start weavets on this host, and return when it is ready',
  options: launchOptions,
  examples: [
    ['weavets launch', 'one host'],
    [
      'weavets launch --password-file /etc/weave-password host1',
      'together with host1, launched with the same',
    ],
    ['weavets launch --join WVTS-1-…@10.0.0.1', "as 'weavets cluster token' on 10.0.0.1 prints it"],
    ['weavets launch --store etcd://10.0.0.5:2379', "several hosts that share an etcd of one's own"],
    ['weavets launch -H tcp://0.0.0.0:12375 --tlsverify', 'the proxy for other machines too'],
  ],
  async run(args, context) {
    // Loaded here: TLS and child processes would slow every other command down.
    const { parseLaunch } = await import('../../config/launch-config.ts');
    const config = parseLaunch(args, context.env);
    if (process.geteuid?.() !== 0) {
      throw new WeaveError(
        'NOT_ROOT',
        'weavets launch changes the network of the host; run it as root or with sudo',
      );
    }
    await refuseSecond(context.control);
    for (const note of launchNotes(args, config)) context.err(`note: ${note}`);
    if (config.hosts.includes('fd://') && !args.foreground) {
      throw new WeaveError('USAGE', '-H fd:// is for systemd, with --foreground');
    }
    if (!config.hosts.includes('fd://')) await refuseBesideUnits();
    if (args.foreground) {
      context.doing('');
      const { runDaemon } = await importDaemon();
      return runDaemon(config);
    }
    const { spawnDaemon } = await import('../process/spawn-daemon.ts');
    context.doing('starting weavets');
    const { env, doing } = context;
    const pid = await spawnDaemon(config, { file: daemonFile, log: paths.log, env, doing });
    const { Host } = await warnOfConditions(context);
    if (args.expose && Host.Advice !== null) context.err(`note: ${Host.Advice}`);
    context.out(args.json ? toJson<'launch'>({ pid }) : String(pid));
  },
});
