import { runOk } from '../../src/lib/exec.ts';
import type { Host } from './host.ts';
import { type CommandOptions, repository } from './machine.ts';

/** What such a root shares with its host: that is all that packages don't bring. */
const shared = ['/proc', '/sys', '/dev', '/run', '/var/lib/docker', '/var/lib/weave'];

/** Builds packages for this machine. @param kinds as `npm run package` has them @returns their paths */
export async function buildPackages(out: string, ...kinds: string[]): Promise<string[]> {
  const argv = ['node', '--import', 'tsx', 'scripts/package/main.ts', '--arch', process.arch, '--out', out];
  const said = await runOk(['env', '-C', repository, ...argv, ...kinds], { deadline: null });
  return said.trim().split('\n');
}

/** A root file system on a host to install packages in: a Debian's, with what is written to it kept in memory. */
export class InstallRoot {
  readonly #host: Host;
  readonly #root: string;

  private constructor(host: Host, root: string) {
    this.#host = host;
    this.#root = root;
  }

  /** @param lower folder of the Debian; `/` is the machine's own, without what its hosts of the lab have */
  static async create(host: Host, lower: string): Promise<InstallRoot> {
    const top = '/run/install';
    const root = `${top}/root`;
    await host.runOk(['mkdir', '-p', top, '/var/lib/weave']);
    await host.runOk(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', top]);
    await host.runOk(['mkdir', root, `${top}/upper`, `${top}/work`]);
    const layers = `lowerdir=${lower},upperdir=${top}/upper,workdir=${top}/work`;
    await host.runOk(['mount', '-t', 'overlay', 'overlay', '-o', layers, root]);
    for (const path of shared) {
      await host.runOk(['mkdir', '-p', `${root}${path}`]);
      await host.runOk(['mount', '--bind', path, `${root}${path}`]);
    }
    return new InstallRoot(host, root);
  }

  /** argv that runs `argv` in this root, on its host. */
  #inside(argv: readonly string[]): string[] {
    const env = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND=noninteractive'];
    return ['chroot', this.#root, ...env, ...argv];
  }

  run(argv: readonly string[], options?: CommandOptions) {
    return this.#host.run(this.#inside(argv), options);
  }

  runOk(argv: readonly string[], options?: CommandOptions) {
    return this.#host.runOk(this.#inside(argv), options);
  }

  /** As {@link runOk}, but with this machine's network, to fetch packages by. */
  online(argv: readonly string[]): Promise<string> {
    return runOk(['nsenter', '-t', String(this.#host.pid), '-m', '--', ...this.#inside(argv)], {
      deadline: null,
    });
  }

  /** Puts a file into the root. */
  async copy(file: string, to: string): Promise<void> {
    await this.#host.runOk(['cp', file, `${this.#root}${to}`]);
  }
}
