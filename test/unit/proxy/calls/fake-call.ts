import { Readable } from 'node:stream';
import type { Provision } from '../../../../src/proxy/calls/provision.ts';
import { withBody } from '../../../../src/proxy/intercept/answer.ts';
import type { Call, EngineAnswer, ErrorAnswer } from '../../../../src/proxy/intercept/contract.ts';
import { match } from '../../../../src/proxy/wire/routes.ts';

/** What containers are given, where DNS is on docker0's address. */
export const provision: Provision = {
  stateDir: '/var/lib/weave',
  dnsDomain: 'weave.local.',
  dnsServers: () => ['172.17.0.1'],
  isOurDns: (server) => server === '172.17.0.1',
  searchDomains: () => [],
};

/** A request to the engine, and its answer. */
export type Engine = (body: string) => { status: number; body?: string } | Promise<never>;

/** A call that came in, and what was forwarded of it. */
export interface FakeCall extends Call {
  /** undefined: the client's own bytes */
  readonly forwarded: (Buffer | undefined)[];
}

/** A request as the transport hands it to a handler, before an engine that says `engine`. */
export function fakeCall(
  method: string,
  target: string,
  body: string | Buffer = '',
  engine: Engine = () => ({ status: 201 }),
): FakeCall {
  const route = match(method, target);
  if (!route) throw new Error(`${method} ${target} is no route`);
  const own = Buffer.from(body);
  const forwarded: (Buffer | undefined)[] = [];
  return {
    route,
    method,
    target,
    forwarded,
    signal: new AbortController().signal,
    body: async () => own,
    forward: async (changed) => {
      forwarded.push(changed);
      const { status, body: text = '' } = await engine((changed ?? own).toString());
      return engineAnswer(status, text);
    },
  };
}

/** The body that the engine got last, which must not be the client's own. */
export function sent(call: FakeCall): string {
  const body = call.forwarded.at(-1);
  if (body === undefined) throw new Error('forwarded unchanged');
  return body.toString();
}

/** The text of an answer that came from the engine. */
export async function textOf(answer: EngineAnswer | ErrorAnswer): Promise<string> {
  if ('message' in answer) throw new Error(`an answer of our own: ${answer.message}`);
  return (await answer.buffer()).toString();
}

function engineAnswer(status: number, body: string): EngineAnswer {
  const empty = {
    status,
    statusText: '',
    headers: [],
    stream: Readable.from([]),
    buffer: async () => Buffer.of(),
  };
  return withBody(empty, Buffer.from(body));
}
