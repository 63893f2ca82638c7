import assert from 'node:assert/strict';
import type { Host } from './host.ts';

/** weavets as a service of a host that systemd runs. */
export class SystemdService {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  systemctl(...words: string[]): Promise<string> {
    return this.#host.runOk(['systemctl', ...words]);
  }

  async stateOf(unit: string): Promise<string> {
    return (await this.#host.run(['systemctl', 'is-active', unit])).stdout.trim();
  }

  /** `0`: it does not run. */
  async pidOf(unit: string): Promise<string> {
    return (await this.systemctl('show', '--property=MainPID', '--value', unit)).trim();
  }

  journal(...words: string[]): Promise<string> {
    return this.#host.runOk(['journalctl', '-q', '--no-pager', '-o', 'cat', ...words]);
  }

  /** Replaces the file of flags and secrets. */
  async setEnvironment(text: string): Promise<void> {
    await this.#host.runOk(['tee', '/etc/default/weavets'], { input: text });
  }

  /** Units of ours that systemd knows, running or not. */
  async known(): Promise<string> {
    const units = await this.#host.run(['systemctl', 'list-units', '--all', '--no-legend', 'weavets*']);
    const files = await this.#host.run(['systemctl', 'list-unit-files', '--no-legend', 'weavets*']);
    return units.stdout + files.stdout;
  }

  async reaches(from: string, to: string): Promise<void> {
    assert.match(await this.#host.docker('exec', from, 'ping', '-c', '1', to), / 0% packet loss/);
  }
}
