import { after, before, describe } from 'node:test';
import { Host, type HostOptions, type Suite } from './host.ts';

/** How to make the host of a file's tests. */
export interface UseHostOptions extends HostOptions {
  /** flags that weavets is launched with before the tests; default: not launched */
  launch?: readonly string[] | false;
}

/** A host for the tests of this file, or of this `describe`: up before the first of them, gone after the last. */
export function useHost({ launch = false, ...options }: UseHostOptions = {}): Host {
  const host = new Host(options);
  before(async () => {
    await host.start();
    if (launch !== false) await host.launch(...launch);
  });
  after(() => host[Symbol.asyncDispose]());
  return host;
}

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

/** The newest engine to be had: where tests run that need one only. */
export const newest = known[0] as Engine;

/** Registers the same tests for each engine; WEAVETS_TEST_ENGINES names others than today's and the oldest promised. */
export function forEachEngine(play: (engine: Engine) => void): void {
  const names = (process.env.WEAVETS_TEST_ENGINES ?? '28.5,20.10').split(',');
  for (const name of names) {
    const engine = known.find((each) => each.name === name);
    if (engine === undefined) throw new Error(`WEAVETS_TEST_ENGINES: no engine ${name} here`);
    describe(`engine ${name}`, () => play(engine));
  }
}
