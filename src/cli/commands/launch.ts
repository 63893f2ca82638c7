import { paths } from '../../control/contract.ts';
import { WeaveError } from '../../lib/errors.ts';
import { type Context, command } from '../command.ts';
import { daemonFile, importDaemon } from '../daemon.ts';
import { launchOptions } from '../launch-options.ts';
import { runningPid } from '../running.ts';

export const launch = command({
  name: 'launch',
  operands: '[PEER…]',
  about: 'Start weavets on this host, and return when it is ready',
  options: launchOptions,
  examples: [
    ['weavets launch', 'one host'],
    ['weavets launch --store etcd://10.0.0.5:2379', 'several hosts that share an etcd'],
    ['weavets launch -H tcp://0.0.0.0:12375 --tlsverify', 'the proxy for other machines, too'],
  ],
  async run(args, context) {
    // Loaded here: TLS and child processes would slow every other command down.
    const { parseLaunch } = await import('../launch-config.ts');
    const config = parseLaunch(args, context.env);
    if (process.geteuid?.() !== 0) {
      throw new WeaveError(
        'NOT_ROOT',
        'weavets launch changes the network of the host; run it as root or with sudo',
      );
    }
    await refuseSecond(context);
    if (args.foreground) {
      const { runDaemon } = await importDaemon();
      return runDaemon(config);
    }
    const { spawnDaemon } = await import('../spawn-daemon.ts');
    const { env, control } = context;
    if (context.terminal.err) context.err('starting weavets…');
    context.out(String(await spawnDaemon(config, { file: daemonFile, log: paths.log, env, control })));
  },
});

async function refuseSecond({ control }: Context): Promise<void> {
  const pid = await runningPid(control);
  if (pid === undefined) return;
  throw new WeaveError(
    'ALREADY_RUNNING',
    `weavets is already running (pid ${pid}); stop it first with: weavets stop`,
  );
}
