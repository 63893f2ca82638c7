import { WeaveError } from '../lib/errors.ts';

/** A domain name as DNS has it, the final dot or not. @throws WeaveError USAGE that begins with `what` */
export function checkName(what: string, text: string): void {
  if (text.length <= 254 && /^[\w-]{1,63}(\.[\w-]{1,63})*\.?$/.test(text)) return;
  throw new WeaveError('USAGE', `${what}: '${text}' is not a name; write it like db.weave.local`);
}
