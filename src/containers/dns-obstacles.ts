import type { EngineReply } from '../docker/client.ts';
import { isUserNetwork } from '../model/policy.ts';

/** What {@link dnsObstacles} asks of the engine. */
export interface NetworksEngine {
  get(path: string): Promise<EngineReply>;
  version(): Promise<string>;
}

/** Of Docker 26, the first that passes no question on from networks without a way out. */
const silentSince = 45;

/** Why containers made on a network can't ask us for names, in words for their users. */
export async function dnsObstacles(engine: NetworksEngine, networkMode: string): Promise<string[]> {
  if (!isUserNetwork(networkMode)) return [];
  const { status, body } = await engine.get(`/networks/${encodeURIComponent(networkMode)}`);
  if (status !== 200) return [];
  const { Internal } = JSON.parse(body) as { Internal?: boolean };
  const minor = Number((await engine.version()).split('.')[1]);
  if (!Internal || minor < silentSince) return [];
  return [
    `on the internal network ${networkMode} the engine passes no DNS question on, so names of other weave containers are not found there; use addresses, or a network without --internal`,
  ];
}
