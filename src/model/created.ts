/**
 * A container as its user requested it, before the proxy's changes: as inspect would show it on an engine
 * without a proxy.
 */
export interface Created {
  /** Config.Entrypoint, the image's where the request has none */
  entrypoint: readonly string[] | null;
  /** Config.Cmd, likewise */
  cmd: readonly string[] | null;
  /** Config.Hostname; `''`: the engine derives it from the id */
  hostname: string;
  /** Config.Domainname */
  domainname: string;
  /** HostConfig.Dns */
  dns: readonly string[] | null;
  /** HostConfig.DnsSearch */
  dnsSearch: readonly string[] | null;
  /** HostConfig.Binds */
  binds: readonly string[] | null;
  /** how its last start failed, although the engine counts it as a run */
  failure?: StartFailure;
}

/** A start that would fail without the proxy. */
export interface StartFailure {
  /** State.Error */
  message: string;
  /** State.ExitCode */
  exitCode: number;
  /** State.FinishedAt of that run */
  finishedAt: string;
}

/** Keeps what was requested of containers. */
export interface CreatedRecords {
  /** @param id of the container, 64 hex digits */
  get(id: string): Promise<Created | undefined>;
  /** Remembers at once, and writes in the background. */
  put(id: string, created: Created): void;
  /** True for a hostname copied from a container that had none of its own. */
  isMadeOfId(hostname: string): Promise<boolean>;
}
