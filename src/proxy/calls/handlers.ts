import type { Handlers } from '../intercept/contract.ts';
import { type CommitDeps, commitContainer } from './commit.ts';
import { type CreateDeps, type CreateOptions, createContainer } from './create.ts';
import { type Execs, execInContainer } from './exec.ts';
import { type Inspected, type InspectOptions, inspectContainer } from './inspect.ts';
import { PendingStarts } from './pending-starts.ts';
import { type StartDeps, startContainer } from './start.ts';

/** The flags of `launch` that the proxy uses. */
export interface HandlerOptions extends CreateOptions, InspectOptions {}

/** The handlers' collaborators. */
export interface HandlersDeps extends CreateDeps, StartDeps, CommitDeps {
  containers: CreateDeps['containers'] & StartDeps['containers'] & CommitDeps['containers'];
  execs: Execs;
  inspected: Inspected;
}

/** The handlers of the calls that don't just pass through. */
export function createHandlers(options: HandlerOptions, parts: HandlersDeps): Handlers {
  const starts = new PendingStarts();
  const start = startContainer(options, starts, parts);
  const inspect = inspectContainer(options, { ...parts, starts });
  return {
    create: createContainer(options, parts),
    start,
    restart: start,
    exec: execInContainer(parts.execs),
    commit: commitContainer(parts),
    inspect,
    inspectExec: inspect,
  };
}
