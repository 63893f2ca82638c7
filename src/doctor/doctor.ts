import { parseLaunch } from '../config/launch-config.ts';
import { EngineClient } from '../docker/client.ts';
import type { Verdict } from '../model/verdict.ts';
import { readNetwork } from '../net/host.ts';
import { examine } from './check.ts';
import { tools } from './checks/tools.ts';
import { launchChecks } from './checks.ts';

/** Checks a host on which no daemon runs, as it would be launched without flags. @throws WeaveError USAGE */
export async function checkWithoutDaemon(env: NodeJS.ProcessEnv): Promise<Verdict[]> {
  const config = parseLaunch({ words: [] } as never, env);
  const engine = new EngineClient({ url: config.engine, tls: config.engineTls });
  try {
    const network = await readNetwork();
    const verdicts: Verdict[] = [];
    for (const check of launchChecks) verdicts.push(await examine(check, { config, engine, network }));
    return [...verdicts, stopped];
  } finally {
    await engine.close();
  }
}

const stopped: Verdict = {
  check: 'daemon',
  state: 'failed',
  text: 'weavets is not running; start it with: weavets launch',
  code: 'NOT_RUNNING',
};

/** Whether every program that weavets runs is there. */
export const checkTools = () => tools.run(undefined);
