import { test } from 'node:test';
import { fuzzProxy } from '../fuzz/proxy.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ launch: [] });

// A short turn, always the same; `npm run fuzz -- --seed S --count N proxy` takes longer ones.
test("the proxy gives the engine's answer or 400, and never the answer to another request", () =>
  fuzzProxy({ seed: 1, count: 300 }, { proxy: host.socketPath('proxy'), engine: host.socketPath('engine') }));
