import type { ContainerInfo } from '../docker/types.ts';
import { atMost } from '../lib/lock.ts';

/** Longest wait of a command for its container's attachment, ms. */
const patience = 10_000;

/** The gate's collaborators. */
export interface ExecGateDeps {
  engine: { inspect(idOrName: string, signal?: AbortSignal): Promise<ContainerInfo | undefined> };
  attachments: { get(id: string): { info: ContainerInfo } | undefined };
  reconciler: { settled(id: string): Promise<void>; reconcile(id: string): Promise<void> };
}

/** Holds back exec commands until the container is attached; its own command waits in the shim. */
export class ExecGate {
  readonly #deps: ExecGateDeps;

  constructor(deps: ExecGateDeps) {
    this.#deps = deps;
  }

  /** Resolves once a running container that has the shim is attached, or can't be; at once for all others. */
  async attached(idOrName: string, signal?: AbortSignal): Promise<void> {
    const { engine, attachments, reconciler } = this.#deps;
    const info = await engine.inspect(idOrName, signal);
    if (!info?.running || info.shim === undefined) return;
    await atMost(patience, reconciler.settled(info.id));
    if (attachments.get(info.id)?.info.pid === info.pid) return;
    // Failures are reported where attaching was tried; the command runs as without us.
    await atMost(
      patience,
      reconciler.reconcile(info.id).catch(() => {}),
    );
  }
}
