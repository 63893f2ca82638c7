/**
 * What a container was to be before the proxy changed it on its way to the engine: as inspect shows it on an engine
 * without a proxy.
 */
export interface Created {
  /** Config.Entrypoint, the image's where the request has none */
  entrypoint: readonly string[] | null;
  /** Config.Cmd, likewise */
  cmd: readonly string[] | null;
  /** Config.Hostname; `''`: the engine makes it of the id */
  hostname: string;
  /** Config.Domainname */
  domainname: string;
  /** HostConfig.Dns */
  dns: readonly string[] | null;
  /** HostConfig.DnsSearch */
  dnsSearch: readonly string[] | null;
  /** HostConfig.Binds */
  binds: readonly string[] | null;
  /** how its last start failed, which the engine took for a run */
  failure?: StartFailure;
}

/** A start that fails without a proxy. */
export interface StartFailure {
  /** State.Error */
  message: string;
  /** State.ExitCode */
  exitCode: number;
  /** State.FinishedAt of what the engine took for the run */
  finishedAt: string;
}

/** Keeps what containers were to be. */
export interface CreatedRecords {
  /** @param id of the container, 64 hex digits */
  get(id: string): Promise<Created | undefined>;
  /** Remembers at once, and writes by itself: nobody waits for it. */
  put(id: string, created: Created): void;
  /** True for a hostname that was copied from a container without one of its own. */
  isMadeOfId(hostname: string): Promise<boolean>;
}
