import type { ShimBind } from '../model/shim.ts';

/** What weavets reads of a container's inspect answer; the same on every engine from 20.10 to 29. */
export interface ContainerInfo {
  /** 64 hex digits */
  id: string;
  /** without the leading slash */
  name: string;
  /** of the container's first process, in the engine's pid namespace; 0 if it does not run */
  pid: number;
  running: boolean;
  /** --rm */
  autoRemove: boolean;
  /** HostConfig.NetworkMode */
  networkMode: string;
  /** Config.Hostname and, if set, a dot and Config.Domainname */
  hostname: string;
  /** Config.Domainname */
  domainname: string;
  /** --uts host: it has no hostname of its own */
  hostUts: boolean;
  env: string[];
  labels: Record<string, string>;
  /** HostConfig.Dns, ours among them */
  dns: string[];
  /** those that its user published, of the container itself: `80/tcp` */
  ports: string[];
  /** HostConfig.ExtraHosts: `name:ip` */
  extraHosts: string[];
  /** the shim's folder, where it is bound; undefined: created past the proxy, or not to be attached */
  shim: ShimBind | undefined;
  /** where its user's mounts are in it, and those of its image */
  mountPoints: string[];
  /** after the first word of the command: with a shim, the user's own command */
  args: readonly string[];
  /** the engine's file behind /etc/hosts, on the engine's host; empty until the first start */
  hostsPath: string;
  /** the engine's file behind /etc/resolv.conf, likewise */
  resolvConfPath: string;
  /** the user mounted a file of their own at /etc/resolv.conf */
  ownResolvConf: boolean;
  /** the user mounted a file of their own at /etc/hosts */
  ownHosts: boolean;
}

/** A container in a list. */
export interface ListedContainer extends Pick<ContainerInfo, 'id' | 'name' | 'shim'> {
  /** or paused */
  running: boolean;
}
