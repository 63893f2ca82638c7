import type { Report } from '../../src/report/report.ts';
import { call } from './call.ts';
import type { Machine } from './machine.ts';
import { containersOf, nameOf } from './workload.ts';

/** A running container. */
export interface Running {
  id: string;
  name: string;
  pid: number;
  /** in CIDR form, as its ethwe has them */
  addresses: string[];
}

/** What there is on a machine, seen from outside the daemon, and what the daemon says. */
export interface Sight {
  machine: Machine;
  running: Running[];
  report: Report;
  /** names of the host's links */
  links: string[];
  /** names of network namespaces */
  namespaces: string[];
  /** command lines */
  processes: string[];
  /** our rules */
  rules: string[];
  /** paths of what the daemon keeps */
  files: string[];
}

/** Prints what there is in parts, each behind a line `== NAME`; of each container's pid, its addresses. */
const look = `
echo == links; ls /sys/class/net
echo == namespaces; ls /run/netns 2>/dev/null
echo == processes; ps -eo args=
echo == rules; iptables-save 2>/dev/null | grep -- '-A.*WEAVE'
echo == files; find /run/weave /var/lib/weave -path /var/lib/weave/etcd/data -prune -o -print
for pid; do echo "== $pid"; nsenter -n -t "$pid" ip -o -4 addr show dev ethwe 2>/dev/null || true; done
`;

/** @throws when the engine or the daemon does not answer */
export async function sightOf(machine: Machine): Promise<Sight> {
  const { host } = machine;
  const [listed, answer] = await Promise.all([
    containersOf(machine),
    call({
      socketPath: host.path('/run/weave/control.sock'),
      method: 'POST',
      path: '/op/report',
      body: {},
      ms: 5_000,
    }),
  ]);
  const pids = await Promise.all(listed.map(({ Id }) => pidOf(machine, Id)));
  const parts = partsOf(await host.runOk(['bash', '-c', look, 'look', ...pids.map(String)]));
  const part = (name: string) => parts.get(name) ?? [];
  return {
    machine,
    running: listed.map((container, i) => ({
      id: container.Id,
      name: nameOf(container),
      pid: pids[i] ?? 0,
      addresses: part(String(pids[i])).flatMap((line) => / inet (\S+)/.exec(line)?.[1] ?? []),
    })),
    report: JSON.parse(answer) as Report,
    links: part('links'),
    namespaces: part('namespaces'),
    processes: part('processes'),
    rules: part('rules'),
    files: part('files'),
  };
}

async function pidOf({ host }: Machine, id: string): Promise<number> {
  const text = await call({
    socketPath: host.socketPath('engine'),
    method: 'GET',
    path: `/containers/${id}/json`,
  });
  return (JSON.parse(text) as { State: { Pid: number } }).State.Pid;
}

function partsOf(text: string): Map<string, string[]> {
  const parts = new Map<string, string[]>();
  let part: string[] = [];
  for (const line of text.trimEnd().split('\n')) {
    const name = /^== (\w+)$/.exec(line)?.[1];
    if (name === undefined) {
      part.push(line);
      continue;
    }
    part = [];
    parts.set(name, part);
  }
  return parts;
}

const ping = `
targets=$1; shift
for pid; do
  nsenter -n -t "$pid" sh -c \
    'for to; do busybox ping -c 1 -W 3 $to >/dev/null 2>&1 || echo "$0 $to" & done; wait' "$pid" $targets &
done
wait
`;

/** Pings each of these addresses out of each container of a machine. @returns pairs that failed, `NAME to ADDRESS` */
export async function failedPings(
  { machine, running }: Sight,
  targets: readonly string[],
): Promise<string[]> {
  if (running.length === 0) return [];
  const pids = running.map(({ pid }) => String(pid));
  const failed = await machine.host.runOk(['bash', '-c', ping, 'ping', targets.join(' '), ...pids]);
  return failed
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [pid, to] = line.split(' ');
      return `${running.find((each) => String(each.pid) === pid)?.name} to ${to}`;
    });
}

/** Asks a machine's name server for each of these names. @returns what it answers wrong */
export async function wrongAnswers(
  { machine, report }: Sight,
  names: ReadonlyMap<string, string>,
): Promise<string[]> {
  const server = report.DNS?.Address.split(':')[0] ?? '';
  const script = `server=$1; shift
    for name; do echo "$name $(dig +short +time=2 +tries=1 @$server "$name" | sort | paste -sd,)" & done; wait`;
  const text = await machine.host.runOk(['bash', '-c', script, 'ask', server, ...names.keys()]);
  return text
    .trimEnd()
    .split('\n')
    .flatMap((line) => {
      const [name = '', answer = ''] = line.split(' ');
      const wanted = names.get(name);
      return answer === wanted ? [] : [`${machine.name} answers '${answer}' for ${name}, not ${wanted}`];
    });
}
