import { resolve } from 'node:path';
import { splitJoin } from '../../config/join.ts';
import { flag, text } from '../../config/option.ts';
import { duration } from '../../config/values.ts';
import { WeaveError } from '../../lib/errors.ts';
import { clusterText } from '../cluster-text.ts';
import { type Context, command, noWords } from '../command.ts';
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

const verbs: Readonly<Record<string, (given: Given, context: Context) => Promise<void>>> = {
  init: async ({ words, voters, json }, { control, out, err }) => {
    noWords(words);
    const made = await control.call('clusterInit', { voters: parseVoters(voters) });
    if (json) return out(toJson<'cluster init'>(made));
    err('This host is the first of a cluster now. To add another, run there:');
    out(launchLine(made));
    err(lasts(made.expires));
  },
  join: async ({ words, json }, { control, out }) => {
    const { token, host } = splitJoin(only(words, 'TOKEN@HOST'));
    await control.call('clusterJoin', { token, host });
    if (json) out(toJson<'cluster join'>({}));
  },
  token: async ({ words, ttl = '1h', revoke, 'revoke-all': all = false, json }, { control, out, err }) => {
    noWords(words);
    if (revoke !== undefined || all) {
      const token = revoke?.split('@')[0] ?? null;
      const { revoked } = await control.call('clusterRevoke', { token });
      if (revoked === 0 && !all) throw new WeaveError('USAGE', 'the cluster has no such token (any more)');
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
    await context.control.call('leave', {});
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
  backup: async ({ words, json }, { control, out, err }) => {
    const file = resolve(only(words, 'FILE'));
    const { bytes } = await control.call('clusterBackup', { file });
    if (json) return out(toJson<'cluster backup'>({ bytes }));
    err(`${file}: ${bytes} bytes`);
  },
  restore: async ({ words, force = false, json }, { control, out, err }) => {
    const file = resolve(only(words, 'FILE'));
    if ((await runningPid(control)) !== undefined) {
      throw new WeaveError(
        'USAGE',
        'a cluster is restored while weavets is stopped on all of its hosts: weavets stop',
      );
    }
    if (!force) {
      throw new WeaveError(
        'USAGE',
        "what the cluster's etcd has is replaced by the file's, and its members on other hosts must not run; say --force if that is meant",
      );
    }
    const { restoreCluster } = await importRestore();
    await restoreCluster(file);
    if (json) return out(toJson<'cluster restore'>({}));
    err("The cluster's etcd runs on this host, with what the file has; 'weavets launch' goes on with it.");
    err("On every other host: 'weavets reset', then 'weavets launch --join' with a new token.");
  },
};

export const cluster = command({
  name: 'cluster',
  operands: 'init|join|token|status|leave|remove|backup|restore [TOKEN@HOST|HOST|FILE]',
  about: 'Make hosts one network, with an etcd that weavets runs itself',
  options: {
    ttl: text('How long the token of `token` lasts: 30m, 1h, 2d', '1h'),
    voters: text('Hosts of which a majority keeps the cluster, for `init`: 3 or 5', '3'),
    revoke: text('`token`: make this one worthless'),
    'revoke-all': flag('`token`: make all of them worthless'),
    force: flag('`remove`: at once, even if the host was heard of just now; `restore`: over what there is'),
  },
  examples: [
    ['weavets cluster init', 'makes this host the first; prints what to type on the next'],
    ['weavets cluster token --ttl 10m', 'another such line, good for ten minutes'],
    ['weavets cluster join WVTS-1-…@10.0.0.1', 'takes a host that runs into the cluster'],
    ['weavets cluster status', 'hosts, and how their etcd does'],
    ['weavets cluster remove host3', 'of a host that is gone for good'],
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
  `The token is good until ${expires}; 'weavets cluster token' prints another, and '--revoke TOKEN' ends one.`;

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
  throw new WeaveError('USAGE', `name it: ${what}`);
}
