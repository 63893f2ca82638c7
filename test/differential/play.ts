import type { Host } from '../support/host.ts';

/** Headers that clients read. */
const telling =
  /^(api-version|content-type|docker-experimental|ostype|builder-version|swarm|location|transfer-encoding|connection|upgrade|x-docker-container-path-stat|allow): /i;

/** Plays one call on one side. @returns status or exit code, headers that matter, and output, without what changes from run to run */
export async function play(host: Host, socket: string, prefix: string, call: string): Promise<string> {
  const line = call.replaceAll('@', prefix);
  const api = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS) (\S+)(?: (.*))?$/s.exec(line);
  const text = api ? await playApi(host, socket, api) : await playLine(host, socket, line);
  return neutral(text, prefix);
}

async function playApi(
  host: Host,
  socket: string,
  [, method = '', path = '', body]: RegExpExecArray,
): Promise<string> {
  const args = ['curl', '-sS', '-g', '-i', '--path-as-is', '--max-time', '120', '--unix-socket', socket];
  const how = method === 'HEAD' ? ['-I'] : ['-X', method];
  const data = body === undefined ? [] : ['-H', 'Content-Type: application/json', '-d', body];
  const { code, stdout, stderr } = await host.run([...args, ...how, ...data, `http://docker${path}`]);
  const [head = '', ...rest] = stdout.split('\r\n\r\n');
  const [status, ...headers] = head.split('\r\n');
  const kept = headers
    .filter((header) => telling.test(header))
    .map((header) => header.replace(/^[^:]+/, (name) => name.toLowerCase()));
  return [`curl ${code}`, status, ...kept.toSorted(), rest.join('\r\n\r\n'), stderr].join('\n');
}

async function playLine(host: Host, socket: string, line: string): Promise<string> {
  const env = { DOCKER_HOST: `unix://${socket}`, COLUMNS: '200' };
  const { code, stdout, stderr } = await host.run(['timeout', '-s', 'KILL', '120', 'bash', '-c', line], {
    env,
  });
  return `exit ${code}\n${stdout}\n--\n${stderr}`;
}

function neutral(text: string, prefix: string): string {
  return (
    text
      .replaceAll(prefix, '@')
      // What `script` feeds to the terminal at the end of its own input, echoed or not as the moment has it.
      .replaceAll(/\^[@D][\b]*/g, '')
      .replaceAll(/(path-stat: ).*/g, '$1…')
      .replaceAll('/var/run/weave/weave.sock', 'SOCKET')
      .replaceAll('/var/run/docker.sock', 'SOCKET')
      .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID64')
      .replaceAll(/\b[0-9a-f]{12}\b/g, 'ID12')
      .replaceAll(/\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)/g, 'TIME')
      .replaceAll(
        /"(SystemTime|Containers\w*|NGoroutines|NFd|Created|NEventsListener|NetworkSettings|MemTotal|Images|Size|SharedSize|LastUsedAt)":("[^"]*"|\d+|-\d+)/g,
        '"$1":N',
      )
      .replaceAll(
        /"(total_usage|usage|system_cpu_usage|online_cpus|current|rx_\w+|tx_\w+|value|percpu_usage|max_usage|usage_in_\w+|throttled_time)":(\[[^\]]*\]|\d+)/g,
        '"$1":N',
      )
      .replaceAll(
        /"(networks|memory_stats|blkio_stats|stats|pids_stats|cpu_stats|precpu_stats)":\{.*/g,
        '"$1":…',
      )
  );
}
