import { Readable } from 'node:stream';
import { JsonObject } from './body.ts';
import type { EngineAnswer, Handler } from './contract.ts';

/** The network that an inspect answer may tell of. */
export interface Inspected {
  /** Resolves when what is under way for this container has ended. */
  settled(id: string): Promise<void>;
  /** undefined: not attached */
  network(id: string): { ip: string; prefix: number; mac: string } | undefined;
}

/** GET containers/{id}/json and exec/{id}/json: a container that is being started is told of when it is attached. */
export function inspectContainer(inspected: Inspected, rewrite: boolean): Handler {
  return async (call) => {
    const answer = await call.forward();
    if (answer.status !== 200) return answer;
    const body = await answer.buffer();
    const info = JsonObject.parse(body);
    const id = info?.string(call.route.name === 'inspectExec' ? 'ContainerID' : 'Id') ?? '';
    await inspected.settled(id);
    const network = rewrite ? inspected.network(id) : undefined;
    // An exec's answer carries its container's settings only on old engines.
    const settings = info?.object('NetworkSettings');
    if (!info || !settings || !network) return withBody(answer, body);
    if (settings.has('IPAddress')) {
      settings.set('IPAddress', network.ip);
      settings.set('IPPrefixLen', network.prefix);
      settings.set('MacAddress', network.mac);
    } else {
      const networks = settings.object('Networks') ?? JsonObject.empty();
      const weave = JsonObject.empty();
      weave.set('IPAddress', network.ip);
      weave.set('IPPrefixLen', network.prefix);
      weave.set('MacAddress', network.mac);
      networks.set('weave', weave);
      settings.set('Networks', networks);
    }
    info.set('NetworkSettings', settings);
    return withBody(answer, info.toBuffer());
  };
}

function withBody(answer: EngineAnswer, body: Buffer): EngineAnswer {
  const headers = answer.headers.map(([name, value]) =>
    name.toLowerCase() === 'content-length'
      ? ([name, String(body.length)] as const)
      : ([name, value] as const),
  );
  return {
    ...answer,
    headers,
    stream: Readable.from([body], { objectMode: false }),
    buffer: async () => body,
  };
}
