import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { runOk } from '../../src/lib/exec.ts';
import { type Host, repository, until } from './host.ts';

const bus = '/run/dbus/system_bus_socket';
const busConfig = `<busconfig>
  <type>system</type>
  <listen>unix:path=${bus}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
`;
const avahiConfig =
  '[server]\nallow-interfaces=eth0\nuse-ipv6=no\nenable-dbus=no\n[publish]\ndisable-publishing=yes\n';

/** systemd-resolved with its bus, nss-mdns and Avahi on a host, as they are on many desktops and servers. */
export class SystemResolver {
  readonly #host: Host;
  readonly #root: string;
  #resolved: ChildProcess | undefined;

  private constructor(host: Host, root: string) {
    this.#host = host;
    this.#root = root;
  }

  static async start(host: Host): Promise<SystemResolver> {
    const root = (
      await runOk(['sh', join(repository, 'scripts/resolver-root.sh')], { deadline: null })
    ).trim();
    const resolver = new SystemResolver(host, root);
    await host.shell('cat > /etc/weavets-test-bus.conf', { input: busConfig });
    await host.shell('cat > /etc/avahi-test.conf', { input: avahiConfig });
    const { code, stderr } = await host.shell(`set -e
      grep -q ^systemd-resolve: /etc/passwd || echo 'systemd-resolve:x:995:995::/:/usr/sbin/nologin' >> /etc/passwd
      grep -q ^systemd-resolve: /etc/group || echo 'systemd-resolve:x:995:' >> /etc/group
      grep -q ^avahi: /etc/passwd || echo 'avahi:x:996:996::/:/usr/sbin/nologin' >> /etc/passwd
      grep -q ^avahi: /etc/group || echo 'avahi:x:996:' >> /etc/group
      sed -i 's/^hosts:.*/hosts: files mdns4_minimal [NOTFOUND=return] dns/' /etc/nsswitch.conf
      mkdir -p /run/dbus /run/avahi-daemon`);
    if (code !== 0) throw new Error(stderr);
    host.spawn(['dbus-daemon', '--config-file=/etc/weavets-test-bus.conf', '--nofork']);
    await until('the bus is there', async () => (await host.run(['test', '-S', bus])).code === 0);
    host.spawn([
      join(root, 'run/avahi-daemon'),
      '--file=/etc/avahi-test.conf',
      '--no-drop-root',
      '--no-chroot',
      '--no-rlimits',
    ]);
    await until(
      'Avahi is there',
      async () => (await host.run(['test', '-S', '/run/avahi-daemon/socket'])).code === 0,
    );
    await resolver.startResolved();
    await host.shell("echo 'nameserver 127.0.0.53' > /etc/resolv.conf");
    return resolver;
  }

  /** With resolvectl on the PATH, and nss-mdns where the C library finds it. */
  get env(): NodeJS.ProcessEnv {
    const lib = `${this.#root}/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
    const old = `${this.#root}/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
    return { PATH: `${this.#root}/run:${process.env.PATH}`, LD_LIBRARY_PATH: `${lib}:${old}` };
  }

  /** What programs on the host find. @returns empty: they don't */
  async lookUp(name: string): Promise<string> {
    const { stdout } = await this.#host.run(['getent', 'ahostsv4', name], { env: this.env });
    return stdout.split(/\s/)[0] ?? '';
  }

  async startResolved(): Promise<void> {
    const host = this.#host;
    await host.shell('rm -rf /run/systemd/resolve; install -d -o 995 -g 995 /run/systemd/resolve');
    this.#resolved = host.spawn([join(this.#root, 'run/systemd-resolved')]);
    await until('systemd-resolved is there', async () => (await this.resolvectl('status')).code === 0);
  }

  /** As when it is stopped, or removed: nothing of it is left. */
  async stopResolved(): Promise<void> {
    const ended = new Promise((resolve) => this.#resolved?.once('exit', resolve));
    await this.#host.shell('kill $(pgrep -x systemd-resolve)');
    await ended;
    await this.#host.shell('rm -rf /run/systemd/resolve');
  }

  resolvectl(...args: string[]) {
    return this.#host.run(['resolvectl', '--no-pager', ...args], { env: this.env });
  }
}
