import type { Handlers } from './contract.ts';
import { type CreateOptions, type CreateParts, createContainer } from './create.ts';
import { type Execs, execInContainer } from './exec.ts';
import { type Inspected, inspectContainer } from './inspect.ts';
import { type StartParts, startContainer } from './start.ts';

/** The switches of `launch` that the proxy heeds. */
export interface HandlerOptions extends CreateOptions {
  /** --rewrite-inspect */
  rewriteInspect: boolean;
}

/** All that the handlers work with. */
export interface HandlerParts extends CreateParts, StartParts {
  execs: Execs;
  inspected: Inspected;
}

/** What is done to each call that does not just pass through. */
export function createHandlers(options: HandlerOptions, parts: HandlerParts): Handlers {
  const start = startContainer(options, parts);
  const inspect = inspectContainer(parts.inspected, options.rewriteInspect);
  return {
    create: createContainer(options, parts),
    start,
    restart: start,
    exec: execInContainer(parts.execs),
    inspect,
    inspectExec: inspect,
  };
}
