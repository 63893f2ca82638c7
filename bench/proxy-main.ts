// The proxy alone, as a process of its own: `proxy-main.ts LISTEN ENGINE [inspect]`; with `inspect`, the calls that it
// intercepts go through a handler that changes nothing.
import { createLogger } from '../src/lib/log.ts';
import type { Handler } from '../src/proxy/intercept/contract.ts';
import { DockerProxy } from '../src/proxy/proxy.ts';

const [host = '', engine = '', mode] = process.argv.slice(2);
const pass: Handler = (call) => call.forward();
const handlers =
  mode === 'inspect'
    ? { create: pass, start: pass, restart: pass, exec: pass, inspect: pass, inspectExec: pass }
    : {};
const proxy = await DockerProxy.start({
  hosts: [host],
  engine,
  engineTls: null,
  tls: null,
  allowInsecureTcp: false,
  handlers,
  logger: createLogger('info'),
});
console.log(process.pid);
process.once('SIGTERM', () => void proxy.close(AbortSignal.timeout(2000)));
