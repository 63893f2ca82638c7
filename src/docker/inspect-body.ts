import { findShim } from '../model/shim.ts';
import type { ContainerInfo } from './types.ts';

/** The fields of a container's inspect answer that matter here. */
export interface InspectBody {
  Id: string;
  Args?: string[];
  Name: string;
  HostsPath: string;
  ResolvConfPath: string;
  State: { Pid: number; Running: boolean };
  Config: {
    Hostname: string;
    Domainname?: string;
    Env: string[] | null;
    Labels: Record<string, string> | null;
    ExposedPorts?: Record<string, unknown> | null;
  };
  HostConfig: {
    NetworkMode: string;
    ExtraHosts: string[] | null;
    AutoRemove?: boolean;
    UTSMode?: string;
    Dns?: string[] | null;
    PortBindings?: Record<string, unknown> | null;
    PublishAllPorts?: boolean;
  };
  Mounts?: { Source?: string; Destination: string }[];
}

/** What weavets reads of it. */
export function toContainerInfo(body: InspectBody): ContainerInfo {
  const { Config, HostConfig, State } = body;
  const mounts = body.Mounts ?? [];
  return {
    id: body.Id,
    name: body.Name.replace(/^\//, ''),
    pid: State.Pid,
    // A container waiting for its restart says Running with pid 0.
    running: State.Running && State.Pid > 0,
    autoRemove: HostConfig.AutoRemove ?? false,
    networkMode: HostConfig.NetworkMode,
    hostname: Config.Domainname ? `${Config.Hostname}.${Config.Domainname}` : Config.Hostname,
    domainname: Config.Domainname ?? '',
    hostUts: HostConfig.UTSMode === 'host',
    env: Config.Env ?? [],
    labels: Config.Labels ?? {},
    dns: HostConfig.Dns ?? [],
    ports: publishedPorts(body),
    extraHosts: HostConfig.ExtraHosts ?? [],
    shim: findShim(mounts),
    mountPoints: mounts.filter((mount) => !findShim([mount])).map((mount) => mount.Destination),
    args: body.Args ?? [],
    hostsPath: body.HostsPath,
    resolvConfPath: body.ResolvConfPath,
    ownHosts: mounts.some((mount) => mount.Destination === '/etc/hosts'),
    ownResolvConf: mounts.some((mount) => mount.Destination === '/etc/resolv.conf'),
  };
}

function publishedPorts({ Config, HostConfig }: InspectBody): string[] {
  const all = HostConfig.PublishAllPorts ? Object.keys(Config.ExposedPorts ?? {}) : [];
  const ports = new Set([...Object.keys(HostConfig.PortBindings ?? {}), ...all]);
  return [...ports].filter((port) => /^\d{1,5}\/(tcp|udp)$/.test(port)).sort();
}
