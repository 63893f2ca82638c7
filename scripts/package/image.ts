import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { daemonEnvironment, daemonFlags } from '../../src/cli/process/node-flags.ts';
import { runOk } from '../../src/lib/exec.ts';
import { type Architecture, architectures } from './runtime.ts';

const slow = { deadline: null };
/** What the daemon runs, beside what its package depends on. */
const tools = ['iproute2', 'iptables', 'procps', 'libstdc++6', 'wireguard-tools', 'ca-certificates'];

/**
 * Makes an image of the daemon for `docker load`: Debian 12 and the package, without a registry. It is an OCI layout
 * with the manifest that engines before 25 read.
 * @returns its path
 */
export async function image(from: {
  deb: string;
  arch: Architecture;
  work: string;
  out: string;
}): Promise<string> {
  const { deb, arch, work, out } = from;
  if (arch !== process.arch) {
    throw new Error(
      `the image for ${arch} is built on a machine of that architecture; leave it out with --arch`,
    );
  }
  const root = join(work, 'image-root');
  await runOk(['debootstrap', '--variant=minbase', `--include=${tools}`, 'bookworm', root], slow);
  await runOk(['dpkg-deb', '-x', deb, root], slow);
  for (const cache of ['var/cache/apt', 'var/lib/apt/lists', 'var/log']) {
    await runOk(['find', join(root, cache), '-type', 'f', '-delete'], slow);
  }
  return writeImage({ root, arch, layout: join(work, 'image'), out, version: versionOf(deb) });
}

async function writeImage(from: {
  root: string;
  arch: Architecture;
  layout: string;
  out: string;
  version: string;
}): Promise<string> {
  const { root, arch, layout, out, version } = from;
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const tar = join(layout, 'layer');
  await runOk(['tar', '--numeric-owner', '--sort=name', '-C', root, '-cf', tar, '.'], slow);
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', ...(await keep(blobs, tar)) };
  const config = keepJson(blobs, 'application/vnd.oci.image.config.v1+json', {
    architecture: architectures[arch],
    os: 'linux',
    config: {
      Entrypoint: ['weavets'],
      Cmd: ['launch', '--foreground'],
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        `NODE_OPTIONS=${daemonFlags.join(' ')}`,
        ...Object.entries(daemonEnvironment).map(([name, value]) => `${name}=${value}`),
      ],
      Labels: { 'org.opencontainers.image.title': 'weavets', 'org.opencontainers.image.version': version },
    },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = keepJson(blobs, mediaType, { schemaVersion: 2, mediaType, config, layers: [layer] });
  const named = {
    'io.containerd.image.name': 'weavets:latest',
    'org.opencontainers.image.ref.name': 'latest',
  };
  write(layout, 'oci-layout', { imageLayoutVersion: '1.0.0' });
  write(layout, 'index.json', { schemaVersion: 2, manifests: [{ ...manifest, annotations: named }] });
  const path = ({ digest }: { digest: string }) => `blobs/${digest.replace(':', '/')}`;
  write(layout, 'manifest.json', [
    { Config: path(config), RepoTags: ['weavets:latest'], Layers: [path(layer)] },
  ]);
  const file = join(out, `weavets_${version}_${architectures[arch]}.oci.tar`);
  await runOk(['tar', '-C', layout, '-cf', file, 'oci-layout', 'index.json', 'manifest.json', 'blobs'], slow);
  return file;
}

/** Moves a file to where its content says. */
async function keep(blobs: string, file: string): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const hex = hash.digest('hex');
  renameSync(file, join(blobs, hex));
  return { digest: `sha256:${hex}`, size: statSync(join(blobs, hex)).size };
}

function keepJson(blobs: string, mediaType: string, value: unknown) {
  const bytes = Buffer.from(JSON.stringify(value));
  const hex = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(blobs, hex), bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

function write(layout: string, name: string, value: unknown): void {
  writeFileSync(join(layout, name), JSON.stringify(value));
}

const versionOf = (deb: string) => basename(deb).split('_')[1] ?? '';
