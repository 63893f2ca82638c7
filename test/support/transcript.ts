import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { type Host, until, weavets } from './host.ts';

/** A command that a page shows, and what it prints. */
interface Step {
  /** `host1`; empty on pages about one host */
  on: string;
  command: string;
  /** both outputs; `…` stands for anything */
  printed: string;
}

/** How to {@link playTranscript}. */
export interface TranscriptOptions {
  /** by what stands before `#` in the page; '' where nothing does */
  hosts: Record<string, Host>;
  /** read before each command: `docker() { … }` */
  prelude?: string;
  env?: NodeJS.ProcessEnv;
}

/** Commands that only look, and may be early: a name or server may need a moment more on a busy machine. */
const looks = /^(curl|getent|weavets (dns-lookup|ps|doctor)|docker (exec|run --rm) )/;

/** Plays the `console` blocks of a page; what they print must be what it says, but for ids, times and the like. */
export async function playTranscript(page: string, options: TranscriptOptions): Promise<void> {
  /** what a shell keeps from one command to the next, by host */
  const kept: Record<string, string> = {};
  let printed = '';
  for (const { on, command, printed: expected } of stepsOf(page)) {
    const host = options.hosts[on] ?? assert.fail(`no host '${on}'`);
    const typed = filledIn(command, printed);
    const script = `exec 2>&1\n${options.prelude ?? ''}\n${kept[on] ?? ''}\n${typed}`;
    const path = `${dirname(weavets)}:${options.env?.PATH ?? process.env.PATH}`;
    const env = { ...options.env, PATH: path, DOCKER_HOST: undefined };
    const play = async () => {
      const { code, stdout } = await host.shell(script, { env });
      printed += stdout;
      return { code, stdout: shape(stdout) };
    };
    let last = await play();
    const isSo = () => last.code === 0 && patternOf(expected).test(last.stdout);
    if (!isSo() && looks.test(command))
      await until(command, async () => {
        last = await play();
        return isSo();
      }).catch(() => {});
    assert.ok(isSo(), `${command}: ${last.code}, ${last.stdout}\nand not\n${shape(expected)}`);
    if (/^eval /.test(command)) kept[on] = `${kept[on] ?? ''}\n${typed} >/dev/null`;
  }
}

function stepsOf(page: string): Step[] {
  const blocks = [...page.matchAll(/^```console\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) =>
    [...block.matchAll(/^(\S*)# (.*)\n((?:(?!\S*# ).*\n)*)/gm)].map(
      ([, on = '', command = '', printed = '']) => ({ on, command, printed }),
    ),
  );
}

/** A command with `…` is one that was printed before. */
function filledIn(command: string, printed: string): string {
  if (!command.includes('…')) return command;
  const lines = printed.split('\n');
  return (
    lines.findLast((line) => patternOf(command).test(shape(line))) ?? assert.fail(`nobody printed ${command}`)
  );
}

/** What differs from run to run, and from host to host, made the same. */
function shape(text: string): string {
  return text
    .replaceAll('10.250.0.', '10.0.0.')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    .replaceAll(/\b[0-9a-f]{12}\b/g, 'SHORT')
    .replaceAll(/^\d+$/gm, 'PID')
    .replaceAll(/[ \t]+/g, ' ')
    .replaceAll(/ $/gm, '')
    .trim();
}

/** A line with nothing else than `…` stands for any lines. */
function patternOf(expected: string): RegExp {
  const lines = shape(expected).split('\n');
  const patterns = lines.map((line) =>
    line === '…' ? '[\\s\\S]*' : line.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*'),
  );
  return new RegExp(`^${patterns.join('\\s*')}$`);
}
