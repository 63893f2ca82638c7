import { resolve } from 'node:path';
import { splitJoin } from '../../config/join.ts';
import { flag, text } from '../../config/option.ts';
import { duration } from '../../config/values.ts';
import { WeaveError } from '../../lib/errors.ts';
import { clusterText } from '../cluster-text.ts';
import { type CommandContext, command, noWords } from '../command.ts';
import { toJson } from '../output.ts';
import { importRestore } from '../process/daemon.ts';
import { runningPid } from '../process/running.ts';
import { stopDaemon } from '../process/stop-daemon.ts';
import { didYouMean } from '../suggest.ts';

/** What may be given beside a verb. */
interface Given {
  words: string[];
  ttl?: string;
  voters?: string;
  revoke?: string;
  'revoke-all'?: boolean;
  force?: boolean;
  json?: boolean;
}

const verbs: Readonly<Record<string, (given: Given, context: CommandContext) => Promise<void>>> = {
  init: async ({ words, voters, json }, { control, out, err, doing }) => {
    noWords(words);
    doing("starting the cluster's etcd");
    const made = await control.call('clusterInit', { voters: parseVoters(voters) });
    if (json) return out(toJson<'cluster init'>(made));
    err('This host is now the first of a cluster. To add another, run there:');
    out(launchLine(made));
    err(lasts(made.expires));
  },
  join: async ({ words, json }, { control, out, doing }) => {
    const { token, host } = splitJoin(only(words, 'TOKEN@HOST'));
    doing(`joining the cluster of ${host}`);
    await control.call('clusterJoin', { token, host });
    if (json) out(toJson<'cluster join'>({}));
  },
  token: async ({ words, ttl = '1h', revoke, 'revoke-all': all = false, json }, { control, out, err }) => {
    noWords(words);
    if (revoke !== undefined || all) {
      const token = revoke?.split('@')[0] ?? null;
      const { revoked } = await control.call('clusterRevoke', { token });
      if (revoked === 0 && !all)
        throw new WeaveError('USAGE', 'the cluster has no such token, or it has expired');
      if (json) out(toJson<'cluster token --revoke'>({ revoked }));
      return;
    }
    const made = await control.call('clusterToken', { ttl: duration(ttl, '--ttl') });
    if (json) return out(toJson<'cluster token'>(made));
    out(launchLine(made));
    err(lasts(made.expires));
  },
  status: async ({ words, json = false }, { control, out }) => {
    noWords(words);
    const status = await control.call('clusterStatus', {});
    if (json) out(toJson<'cluster status'>(status));
    else clusterText(status).forEach(out);
  },
  leave: async ({ words, json }, context) => {
    noWords(words);
    context.doing('leaving the other hosts');
    await context.control.call('leave', {});
    context.doing('stopping weavets');
    await stopDaemon(context);
    if (json) return context.out(toJson<'cluster leave'>({}));
    context.err('This host has left the cluster, and weavets has stopped; containers keep running.');
    context.err("'weavets launch' starts it alone, 'weavets launch --join TOKEN@HOST' in a cluster.");
  },
  remove: async ({ words, force = false, json }, { control, out }) => {
    const taken = await control.call('rmpeer', { peers: [only(words, 'HOST')], force });
    if (json) return out(toJson<'cluster remove'>(taken));
    taken.lines.forEach(out);
  },
  backup: async ({ words, json }, { control, out, err, doing }) => {
    const file = resolve(only(words, 'FILE'));
    doing(`writing ${file}`);
    const { bytes } = await control.call('clusterBackup', { file });
    if (json) return out(toJson<'cluster backup'>({ bytes }));
    err(`${file}: ${bytes} bytes`);
  },
  restore: async ({ words, force = false, json }, { control, out, err, doing }) => {
    const file = resolve(only(words, 'FILE'));
    if ((await runningPid(control)) !== undefined) {
      throw new WeaveError(
        'USAGE',
        'stop weavets on all hosts of the cluster before restoring it: weavets stop',
      );
    }
    if (!force) {
      throw new WeaveError(
        'USAGE',
        "this replaces everything in the cluster's etcd, whose members on other hosts must not be running; --force if you mean it",
      );
    }
    doing(`starting an etcd from ${file}`);
    const { restoreCluster } = await importRestore();
    await restoreCluster(file);
    if (json) return out(toJson<'cluster restore'>({}));
    err("The cluster's etcd now runs on this host, with the contents of the file; next: 'weavets launch'.");
    err(
      "Former members find it by themselves; where one does not: 'weavets reset', then 'weavets launch --join' with a new token.",
    );
  },
};

export const cluster = command({
  name: 'cluster',
  operands: 'init|join|token|status|leave|remove|backup|restore [TOKEN@HOST|HOST|FILE]',
  about: 'Join hosts into one network, with an etcd that weavets runs',
  options: {
    ttl: text('`token`: how long it lasts: 30m, 1h, 2d', '1h'),
    voters: text('`init`: how many hosts vote, 3 or 5; a majority must be up', '3'),
    revoke: text('`token`: end this token'),
    'revoke-all': flag('`token`: end all tokens'),
    force: flag('`remove`: even if the host was up a moment ago; `restore`: replace what is there'),
  },
  examples: [
    ['weavets cluster init', 'makes this host the first, and prints what to type on the next'],
    ['weavets cluster token --ttl 10m', 'prints another such line, valid for ten minutes'],
    ['weavets cluster join WVTS-1-…@10.0.0.1', 'joins the cluster without a restart'],
    ['weavets cluster status', 'the hosts, and the state of their etcd'],
    ['weavets cluster remove host3', 'removes a host that is gone for good'],
  ],
  async run({ words, ...given }, context) {
    const [verb = '', ...rest] = words;
    const carryOut = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (carryOut) return carryOut({ words: rest, ...given }, context);
    throw new WeaveError(
      'USAGE',
      `cluster ${verb}: name one of ${Object.keys(verbs).join(', ')}${didYouMean(verb, Object.keys(verbs))}`,
    );
  },
});

const launchLine = ({ token, host }: { token: string; host: string }) =>
  `weavets launch --join ${token}@${host}`;

const lasts = (expires: string) =>
  `The token is valid until ${expires}; 'weavets cluster token' prints another, '--revoke TOKEN' ends one.`;

function parseVoters(text: string | undefined): 3 | 5 | undefined {
  if (text === undefined) return undefined;
  if (text === '3') return 3;
  if (text === '5') return 5;
  throw new WeaveError('USAGE', `--voters: '${text}' is neither 3 nor 5`);
}

function only(words: readonly string[], what: string): string {
  const [word, ...more] = words;
  noWords(more);
  if (word !== undefined) return word;
  throw new WeaveError('USAGE', `missing: ${what}`);
}
