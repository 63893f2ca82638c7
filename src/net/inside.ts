import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { WeaveError } from '../lib/errors.ts';
import { hasControls, hung, spawnError, toolDeadline } from '../lib/exec.ts';

/** Waits to be told of a network namespace and what to do there, and goes on in it. Nothing of it comes from outside. */
const waiting = `read -r netns how jump || exit 0
exec nsenter "--net=$netns" -- sh -c "$0" weavets "$how" "$jump"
`;

/**
 * Run by one process for all that there is to do in a container's network namespace. It makes the rules, for which the
 * link need not be there, waits until told that it is, sets what only the namespace's own /proc/sys can, and becomes
 * `ip`. $1: `rules`: iptables-restore's input is on descriptor 3; `again`: and the jump $2 to them may be there already.
 */
const script = `if [ "$1" ]; then
  iptables-restore --noflush --wait <&3 || exit
  if [ "$1" = again ]; then
    iptables --wait -C INPUT $2 2>/dev/null || iptables --wait -A INPUT $2 || exit
  fi
fi
read -r made || exit 0
cd /proc/sys/net || exit
for setting in conf/ethwe/arp_notify conf/ethwe/promote_secondaries neigh/ethwe/ucast_solicit; do
  echo 1 >ipv4/$setting
done
echo 5000 >ipv4/neigh/ethwe/base_reachable_time_ms
echo 2 >ipv4/neigh/ethwe/delay_first_probe_time
if [ -d ipv6 ]; then
  echo 0 >ipv6/conf/ethwe/accept_ra
  echo 1 >ipv6/conf/ethwe/disable_ipv6
fi
exec ip -batch -
`;

/** Firewall rules of a container's network namespace. */
export interface InsideRules {
  /** of iptables-restore */
  input: string;
  /** the rule of INPUT that leads to them, without `-A INPUT` */
  jump: string;
  /** the namespace may have had them before: then `input` has not the jump, which is made if it is not there */
  again: boolean;
}

/**
 * A batch of `ip` in a container's network namespace, which is begun before its link is there, and its process before
 * there is a namespace: to fork the daemon takes some 4 ms, which nobody waits for while the engine still starts the
 * container.
 */
export class Inside {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor() {
    this.#child = spawn('sh', ['-c', waiting, script], { stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
    this.#ended = ended(this.#child);
    this.#ended.catch(() => {}); // met in `end`
    // Without free descriptors there are none; `end` reports that it could not be started.
    for (const pipe of this.#child.stdio ?? []) pipe?.on('error', () => {});
  }

  /**
   * Goes into a network namespace.
   * @param netns descriptor of it, closed when this has ended
   */
  enter(netns: number, rules: InsideRules | undefined): void {
    const close = () => closeSync(netns);
    this.#ended.then(close, close);
    const how = rules === undefined ? '' : rules.again ? `again ${rules.jump}` : 'rules';
    this.write([`/proc/${process.pid}/fd/${netns} ${how}`]);
    (this.#child.stdio?.[3] as Writable | null | undefined)?.end(rules?.input);
  }

  /** The link is there. */
  begin(): void {
    this.write(['made']);
  }

  /** Runs lines of ip's batch language; the first that fails ends it. */
  write(lines: readonly string[]): void {
    const bad = lines.find(hasControls);
    if (bad !== undefined)
      throw new WeaveError('TOOL_FAILED', `a line for ip has control characters: ${JSON.stringify(bad)}`);
    this.#child.stdin?.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** Resolves when all lines have been run. @throws WeaveError TOOL_FAILED */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.kill();
        reject(hung('the batch in a container', this.#child.pid, toolDeadline));
      }, toolDeadline);
    });
    try {
      await Promise.race([this.#ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.on('error', (error) => reject(spawnError('sh', error)));
    child.on('close', (code, signal) => {
      const why = said.trim() || `exit ${code ?? signal}`;
      if (code === 0) resolve();
      else reject(new WeaveError('TOOL_FAILED', `in the container's network namespace: ${why}`));
    });
  });
}
