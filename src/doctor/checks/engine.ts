import type { EngineClient } from '../../docker/client.ts';
import { type Check, ok } from '../check.ts';

export const engine: Check<{ engine: Pick<EngineClient, 'ping' | 'version'> }> = {
  name: 'engine',
  about: 'The container engine answers.',
  code: 'ENGINE_UNREACHABLE',
  when: 'launch',
  async run(deps) {
    await deps.engine.ping();
    return ok(`the engine answers, with version ${await deps.engine.version()} of its API`);
  },
};
