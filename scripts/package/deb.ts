import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runOk } from '../../src/lib/exec.ts';
import { type Architecture, architectures } from './runtime.ts';
import { repository } from './stage.ts';

/** Makes a Debian package of the files below `root`. @returns its path */
export async function debianPackage(from: {
  root: string;
  arch: Architecture;
  out: string;
}): Promise<string> {
  const { root, arch, out } = from;
  const { version, description } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  const control = join(root, 'DEBIAN');
  mkdirSync(control);
  for (const script of readdirSync(join(repository, 'packaging/debian'))) {
    cpSync(join(repository, 'packaging/debian', script), join(control, script));
    chmodSync(join(control, script), 0o755);
  }
  writeFileSync(join(control, 'conffiles'), '/etc/default/weavets\n');
  const size = (await runOk(['du', '-sk', '--exclude=DEBIAN', root])).split('\t')[0];
  writeFileSync(
    join(control, 'control'),
    `Package: weavets
Version: ${version}
Architecture: ${architectures[arch]}
Maintainer: The weavets authors <weavets@localhost>
Section: net
Priority: optional
Installed-Size: ${size}
Depends: iproute2, iptables, procps, util-linux, libc6, libstdc++6
Recommends: etcd-server, etcd-client, wireguard-tools, wireguard-go (>= 0.0.20230223)
Suggests: docker.io | docker-ce, openvswitch-switch
Description: ${description.split(':')[0]}
 Type eval $(weavets env), go on typing plain docker run, and every container
 gets an address and a name on a network that spans hosts.
`,
  );
  const file = join(out, `weavets_${version}_${architectures[arch]}.deb`);
  // Zstandard: Debian 12 and later read it, and Node.js packs in seconds, not minutes.
  await runOk(['dpkg-deb', '--root-owner-group', '-Zzstd', '-z3', '--build', root, file], {
    deadline: null,
  });
  return file;
}
