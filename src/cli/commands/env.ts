import { flag, text } from '../../config/option.ts';
import type { Outputs } from '../../control/outputs.ts';
import { WeaveError } from '../../lib/errors.ts';
import { paths } from '../../model/paths.ts';
import { command, noWords } from '../command.ts';
import { toJson } from '../output.ts';
import { proxyEndpoints } from '../shell/proxy-endpoint.ts';
import { type Changes, type Shell, shells, statements } from '../shell/shell.ts';

/**
 * Variables that would overrule DOCKER_HOST, so they are kept aside while it names the proxy: the client may prefer
 * a context, and with DOCKER_TLS_VERIFY or DOCKER_TLS it speaks TLS even to a unix socket.
 */
const overruling = ['DOCKER_CONTEXT', 'DOCKER_TLS_VERIFY', 'DOCKER_TLS'] as const;

export const env = command({
  name: 'env',
  about: 'Print the shell commands that send docker to the proxy, or back',
  options: {
    restore: flag('Print the commands that undo it'),
    shell: text(`The shell that will read them: ${shells.join(', ')}`, 'bash'),
  },
  examples: [
    ['eval $(weavets env)', 'from here on, docker run attaches containers'],
    ['eval $(weavets env --restore)', 'plain docker again'],
    ['weavets env --shell fish | source', 'the same for fish'],
    ['weavets env --shell powershell | Invoke-Expression', 'the same for PowerShell'],
  ],
  async run({ words, restore, shell = 'bash', json }, { env: variables, control, out, err, terminal }) {
    noWords(words);
    if (!isShell(shell)) {
      throw new WeaveError('USAGE', `--shell: '${shell}' is not one of ${shells.join(', ')}`);
    }
    const changes = restore ? backward(variables) : forward(variables, await proxyEndpoints(control));
    if (json) return out(toJson<'env'>(asData(changes)));
    out(statements[shell](changes));
    if (terminal.out) err(`# run: ${howTo[shell](restore ? 'weavets env --restore' : 'weavets env')}`);
  },
});

function asData(changes: Changes): Outputs['env'] {
  const set = changes.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const unset = changes.flatMap(([name, value]) => (value === undefined ? [name] : []));
  return { set: Object.fromEntries(set), unset };
}

const howTo: Record<Shell, (commandLine: string) => string> = {
  bash: (line) => `eval $(${line})`,
  fish: (line) => `${line} --shell fish | source`,
  powershell: (line) => `${line} --shell powershell | Invoke-Expression`,
};

function isShell(name: string): name is Shell {
  return (shells as readonly string[]).includes(name);
}

function forward(variables: NodeJS.ProcessEnv, endpoints: [string, ...string[]]): Changes {
  const [proxy] = endpoints;
  const { DOCKER_HOST: current = '', ORIG_DOCKER_HOST: original = '' } = variables;
  const already = [...endpoints, paths.proxy].includes(current);
  const changes: [string, string | undefined][] = [
    ['DOCKER_HOST', proxy],
    ['ORIG_DOCKER_HOST', already ? original : current],
  ];
  for (const name of overruling) {
    if (name !== 'DOCKER_CONTEXT' && proxy.startsWith('tcp://')) continue;
    if (variables[name]) changes.push([`ORIG_${name}`, variables[name]], [name, undefined]);
  }
  return changes;
}

/** @throws WeaveError USAGE if this shell was not sent to the proxy */
function backward(variables: NodeJS.ProcessEnv): Changes {
  const { DOCKER_HOST: current, ORIG_DOCKER_HOST: original } = variables;
  // PowerShell has no empty variables, so there an empty former value leaves no trace.
  if (original === undefined && current !== paths.proxy) {
    throw new WeaveError(
      'USAGE',
      "nothing to restore: there was no 'eval $(weavets env)' in this shell before",
    );
  }
  const changes: [string, string | undefined][] = [
    ['DOCKER_HOST', original || undefined],
    ['ORIG_DOCKER_HOST', undefined],
  ];
  for (const name of overruling) {
    const kept = variables[`ORIG_${name}`];
    if (kept !== undefined) changes.push([name, kept], [`ORIG_${name}`, undefined]);
  }
  return changes;
}
