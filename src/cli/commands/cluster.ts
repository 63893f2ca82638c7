import { resolve } from 'node:path';
import { splitJoin } from '../../config/join.ts';
import { launchOptions } from '../../config/launch-options.ts';
import type { Args } from '../../config/option.ts';
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
  from?: string;
  store?: string;
  revoke?: string;
  'revoke-all'?: boolean;
  force?: boolean;
  json?: boolean;
}

/** As `--from` names the etcd that weavets runs. */
const own = 'weavets';

const verbs: Readonly<Record<string, (given: Given, context: CommandContext) => Promise<void>>> = {
  init: async (given, context) => {
    const { words, voters, from, store, json } = given;
    const { control, out, err, doing } = context;
    noWords(words);
    if (from === own) return moveAway(given, context);
    if (store !== undefined) {
      throw new WeaveError('USAGE', `--store says where to move to, and goes with --from ${own}`);
    }
    doing("starting the cluster's etcd");
    const made = await control.call('clusterInit', { voters: parseVoters(voters), from: await etcd(from) });
    if (json) return out(toJson<'cluster init'>(made));
    err('This host is now the first of a cluster. To add another, run there:');
    out(launchLine(made));
    err(lasts(made.expires));
    if (from !== undefined)
      err(
        `The other hosts of ${from} join the same way, without --store; so is this host from now on launched.`,
      );
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
    const taken = await control.call('rmpeer', { peers: [only(words, 'HOST')], force, known: true });
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

const { 'etcd-cacert': cacert, 'etcd-cert': cert, 'etcd-key': key } = launchOptions;
const { 'etcd-user': user, 'etcd-user-file': userFile } = launchOptions;
/** How to reach the etcd that a cluster moves to, as for launch. */
const moving = {
  store: text('`init --from weavets`: the etcd of your own to move to, etcd://HOST:PORT,…'),
  'etcd-cacert': cacert,
  'etcd-cert': cert,
  'etcd-key': key,
  'etcd-user': user,
  'etcd-user-file': userFile,
} as const;

export const cluster = command({
  name: 'cluster',
  operands: 'init|join|token|status|leave|remove|backup|restore [TOKEN@HOST|HOST|FILE]',
  about: 'Join hosts into one network, with an etcd that weavets runs',
  options: {
    ttl: text('`token`: how long it lasts: 30m, 1h, 2d', '1h'),
    from: text(
      '`init`: keep the cluster of this etcd of your own, etcd://HOST:PORT,…; weavets: move it to --store',
    ),
    ...moving,
    voters: text('`init`: how many hosts vote, 3 or 5; a majority must be up', '3'),
    revoke: text('`token`: end this token'),
    'revoke-all': flag('`token`: end all tokens'),
    force: flag('`remove`: even if the host was up a moment ago; `restore`: replace what is there'),
  },
  examples: [
    ['weavets cluster init', 'makes this host the first, and prints what to type on the next'],
    [
      'weavets cluster init --from etcd://10.0.0.5:2379',
      'moves the cluster of that etcd to one that weavets runs',
    ],
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

/** Moves the cluster to an etcd of the users' own. */
async function moveAway(given: Given, { control, out, err, env, doing }: CommandContext): Promise<void> {
  const { readSettings } = await import('../../config/settings.ts');
  const { parseEtcdLogin, parseStore } = await import('../../config/store-config.ts');
  const settings = readSettings(given as unknown as Args<typeof launchOptions>, env);
  const login = parseEtcdLogin(settings, env.ETCDCTL_PASSWORD);
  if (given.store === undefined || given.store === 'lmdb') {
    throw new WeaveError('USAGE', `--from ${own}: name the etcd to move to, --store etcd://HOST:PORT`);
  }
  const store = parseStore(given.store, login);
  doing(`moving the cluster to ${store}`);
  await control.call('clusterMove', { store, etcd: login });
  if (given.json) return out(toJson<'cluster init --from weavets'>({}));
  err(`The cluster is now at ${store}; from now on launch each of its hosts with --store ${store}.`);
}

/** A store as the daemon has it. @throws WeaveError USAGE */
async function etcd(from: string | undefined): Promise<string | undefined> {
  if (from === undefined) return undefined;
  const { parseStore } = await import('../../config/store-config.ts');
  const store = parseStore(from, null);
  if (store !== 'lmdb') return store;
  throw new WeaveError('USAGE', `--from: '${from}' is neither etcd://HOST:PORT,HOST:PORT… nor ${own}`);
}

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
