import assert from 'node:assert/strict';
import type { Verdict } from '../../src/model/verdict.ts';
import { type Host, until } from './host.ts';

/** What `weavets doctor --json` says on a host. */
export async function doctor(host: Host, ...ends: string[]): Promise<{ code: number; checks: Verdict[] }> {
  const { code, stdout, stderr } = await host.weavets('doctor', '--json', ...ends);
  assert.notEqual(stdout, '', stderr);
  const { healthy, checks } = JSON.parse(stdout) as { healthy: boolean; checks: Verdict[] };
  assert.equal(code, healthy ? 0 : 1, stdout);
  return { code, checks };
}

/** A fault that is put into a host, and what doctor is to say of it. */
export interface Fault {
  /** what is wrong */
  fault: string;
  /** shell; or what else brings it about */
  inject: string | (() => Promise<unknown>);
  check: string;
  /** of doctor, or what it puts right by itself */
  state: 'failed' | 'healed';
  text: RegExp;
  /** what ends it; `typed`: the lines that the verdict gives, as they stand; absent: nothing has to */
  mend?: 'typed' | string | (() => Promise<unknown>);
}

/** The lines to type that a verdict ends with. */
const typed = (text: string) => /with: (.*)$/.exec(text)?.[1] ?? '';

/** Puts a fault into a host; doctor names it, and once it is mended all is ok again. */
export async function play(host: Host, { inject, check, state, text, mend }: Fault): Promise<void> {
  const act = async (deed: string | (() => Promise<unknown>)) => {
    if (typeof deed === 'function') return void (await deed());
    const { code, stderr } = await host.shell(`set -e; ${deed}`);
    assert.equal(code, 0, stderr);
  };
  await act(inject);
  let found: Verdict | undefined;
  await until(`${check} is ${state} with ${text}`, async () => {
    found = (await doctor(host)).checks.find((verdict) => verdict.check === check);
    return found?.state === state && text.test(found.text);
  }).catch((error: Error) => {
    throw new Error(`${error.message}; it said ${JSON.stringify(found)}`);
  });
  if (mend === 'typed') await act(typed(found?.text ?? ''));
  else if (mend !== undefined) await act(mend);
  let bad: Verdict[] = [];
  await until('nothing fails', async () => {
    bad = (await doctor(host)).checks.filter((verdict) => verdict.state === 'failed');
    return bad.length === 0;
  }).catch((error: Error) => {
    throw new Error(`${error.message}; it said ${JSON.stringify(bad)}`);
  });
}
