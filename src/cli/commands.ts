import type { Command } from './command.ts';
import { attach } from './commands/attach.ts';
import { cluster } from './commands/cluster.ts';
import { completion } from './commands/completion.ts';
import { config } from './commands/config.ts';
import { connect } from './commands/connect.ts';
import { detach } from './commands/detach.ts';
import { dnsAdd } from './commands/dns-add.ts';
import { dnsArgs } from './commands/dns-args.ts';
import { dnsLookup } from './commands/dns-lookup.ts';
import { dnsRemove } from './commands/dns-remove.ts';
import { dockerBridgeIp } from './commands/docker-bridge-ip.ts';
import { doctor } from './commands/doctor.ts';
import { env } from './commands/env.ts';
import { expose } from './commands/expose.ts';
import { forget } from './commands/forget.ts';
import { help } from './commands/help.ts';
import { hide } from './commands/hide.ts';
import { installService } from './commands/install-service.ts';
import { launch } from './commands/launch.ts';
import { prime } from './commands/prime.ts';
import { ps } from './commands/ps.ts';
import { report } from './commands/report.ts';
import { reset } from './commands/reset.ts';
import { rmpeer } from './commands/rmpeer.ts';
import { setup } from './commands/setup.ts';
import { status } from './commands/status.ts';
import { stop } from './commands/stop.ts';
import { uninstall } from './commands/uninstall.ts';
import { version } from './commands/version.ts';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  setup,
  launch,
  env,
  config,
  stop,
  reset,
  status,
  ps,
  report,
  doctor,
  attach,
  detach,
  expose,
  hide,
  dnsAdd,
  dnsRemove,
  dnsLookup,
  dnsArgs,
  connect,
  forget,
  rmpeer,
  cluster,
  prime,
  dockerBridgeIp,
  installService,
  completion,
  uninstall,
  help,
  version,
];
