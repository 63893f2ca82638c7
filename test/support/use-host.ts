import { after, before, describe } from 'node:test';
import { Host, type HostOptions, type Suite } from './host.ts';

/** An engine that tests are run on. */
export interface Engine {
  /** its release, by which the tests on it are named */
  name: string;
  /** for {@link useHost}; undefined: the machine's own */
  suite: Suite | undefined;
  /** the newest version of the API that it speaks */
  api: string;
}

const known: readonly Engine[] = [
  { name: '28.5', suite: 'sid', api: '1.51' },
  { name: '26.1', suite: 'trixie', api: '1.45' },
  { name: '20.10', suite: undefined, api: '1.41' },
];

/** The engines of this run, today's first; by default that and the oldest promised. */
const chosen: readonly Engine[] = (process.env.WEAVETS_TEST_ENGINES ?? '28.5,20.10')
  .split(',')
  .map((name) => {
    const engine = known.find((each) => each.name === name);
    if (engine === undefined) throw new Error(`WEAVETS_TEST_ENGINES: no engine ${name} here`);
    return engine;
  });

/** The engine of tests that need one only. */
export const firstEngine = chosen[0] as Engine;

/** Registers the same tests for each engine of this run. */
export function forEachEngine(play: (engine: Engine) => void): void {
  for (const engine of chosen) describe(`engine ${engine.name}`, () => play(engine));
}

/** How to make the host of a file's tests. */
export interface UseHostOptions extends HostOptions {
  /** flags that weavets is launched with before the tests; default: not launched */
  launch?: readonly string[] | false;
  /** what the tests need on it, made after that (a file's own `before` would run beside the start of its host) */
  prepare?: () => Promise<unknown>;
}

/**
 * A host for the tests of this file, or of this `describe`: up before the first of them, gone after the last.
 * Its engine is the first of this run, unless `suite` says otherwise.
 */
export function useHost({ launch = false, prepare, ...options }: UseHostOptions = {}): Host {
  const host = new Host({ suite: firstEngine.suite, ...options });
  before(async () => {
    await host.start();
    if (launch !== false) await host.launch(...launch);
    await prepare?.();
  });
  after(() => host[Symbol.asyncDispose]());
  return host;
}
