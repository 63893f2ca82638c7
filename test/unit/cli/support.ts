import { runCli } from '../../../src/cli/cli.ts';
import type { Context } from '../../../src/cli/command.ts';
import type { Operation, Operations } from '../../../src/control/contract.ts';
import { WeaveError } from '../../../src/lib/errors.ts';
import type { Report } from '../../../src/report/report.ts';

/** The daemon's answers; missing operations fail as if it were not running. */
export type Answers = { [K in Operation]?: (input: Operations[K]['in']) => Operations[K]['out'] };

/** The result of a command line. */
export interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** Runs a command line as the executable does, with a daemon that gives these answers. */
export async function weavets(
  argv: string[],
  { answers = {}, env = {} }: { answers?: Answers; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  const outcome = { out: '', err: '' };
  const code = await runCli(argv, {
    env,
    control: standIn(answers),
    out: (line) => {
      outcome.out += `${line}\n`;
    },
    err: (line) => {
      outcome.err += `${line}\n`;
    },
    confirm: async () => undefined,
    terminal: { out: false, err: false, columns: 80, colors: false },
    transient: () => {},
  });
  return { code, ...outcome };
}

export function standIn(answers: Answers): Context['control'] {
  return {
    async call<K extends Operation>(operation: K, input: Operations[K]['in']): Promise<Operations[K]['out']> {
      const answer = answers[operation];
      if (answer === undefined) throw new WeaveError('NOT_RUNNING', 'weavets is not running');
      return answer(input);
    },
  };
}

/** Something that is wrong on that host. */
export const condition = {
  Code: 'RANGE_OVERLAPS',
  About: '',
  Text: 'the route 10.40.0.0/16 overlaps the range',
  Since: '2026-01-01T00:00:00.000Z',
};

/** A daemon's report: one host, two names. */
export const report: Report = {
  Ready: true,
  Version: '2.8.1',
  VersionCheck: { Enabled: false, Success: false, NewVersion: '' },
  Router: {
    Protocol: 'weavets',
    Name: '0e:1d:12:1a:1a:88',
    NickName: 'host1',
    Port: 6784,
    Encryption: false,
    PeerDiscovery: true,
    Peers: [{ Name: '0e:1d:12:1a:1a:88', NickName: 'host1', UID: 0, Version: 1, Connections: null }],
    Connections: null,
    Targets: null,
    TrustedSubnets: [],
    MACs: null,
  },
  IPAM: {
    Range: '10.32.0.0/12',
    RangeNumIPs: 1048576,
    ActiveIPs: 2,
    DefaultSubnet: '10.32.0.0/12',
    Entries: [
      { Token: '10.32.0.0', Size: 1048576, Peer: '0e:1d:12:1a:1a:88', Nickname: 'host1', IsKnownPeer: true },
    ],
  },
  DNS: {
    Domain: 'weave.local.',
    Upstream: ['10.255.255.53'],
    Address: '172.17.0.1:53',
    TTL: 1,
    Entries: [
      {
        Hostname: 'bbox1.weave.local.',
        Origin: '0e:1d:12:1a:1a:88',
        ContainerID: 'c3414fa41f61860e3e8f0a6e1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e',
        Address: '10.32.0.1',
      },
      {
        Hostname: 'db.example.',
        Origin: '0e:1d:12:1a:1a:88',
        ContainerID: 'weave:extern',
        Address: '10.32.0.2',
      },
    ],
  },
  Proxy: { Addresses: ['unix:///var/run/weave/weave.sock'] },
  Paths: [],
  Host: { Exposed: [], NamesBy: null, Advice: null },
  Conditions: [],
  Healed: [],
};
