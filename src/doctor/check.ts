import { codeOf, messageOf, parseErrorCode, WeaveError } from '../lib/errors.ts';
import type { Finding, Verdict } from '../model/verdict.ts';

export const ok = (text: string): Finding => ({ state: 'ok', text });
export const healed = (text: string): Finding => ({ state: 'healed', text });
export const failed = (text: string): Finding => ({ state: 'failed', text });
export const skipped = (text: string): Finding => ({ state: 'skipped', text });

/** One thing that can be wrong with a host, as data: found by what it does, not by the name of who does it. */
export interface Check<Deps> {
  /** one word */
  name: string;
  /** what is looked at, and how; for docs/doctor.md */
  about: string;
  /** what is done about it without being asked; absent: it is only said */
  heals?: string;
  /** of the condition that it sets while the daemon runs, and of the error where it keeps one from starting */
  code: string;
  /** when it runs beside `doctor`: before the daemon starts, every few seconds, every minute */
  when: 'launch' | 'look' | 'probe' | 'asked';
  /** What it throws is a failure, with the error's text. */
  run(deps: Deps): Promise<Finding>;
}

/** Runs one check, whatever comes of it. */
export async function examine<Deps>(check: Check<Deps>, deps: Deps): Promise<Verdict> {
  try {
    return verdictOf(check, await check.run(deps));
  } catch (error) {
    return failureOf(check, error);
  }
}

/** A check's finding, with its name. */
export function verdictOf({ name, code }: Check<never>, finding: Finding): Verdict {
  return { check: name, code: finding.state === 'failed' ? code : null, ...finding };
}

/** What it means that a check could not be run. */
export function failureOf({ name, code }: Check<never>, error: unknown): Verdict {
  const own = error instanceof WeaveError ? codeOf(error) : code;
  return { check: name, code: own, state: 'failed', text: messageOf(error) };
}

/** Runs a check that the daemon can't start without. @throws WeaveError */
export async function demand<Deps>(check: Check<Deps>, deps: Deps): Promise<void> {
  const { state, text } = await check.run(deps);
  if (state === 'failed') throw new WeaveError(parseErrorCode(check.code) ?? 'LAUNCH_FAILED', text);
}
