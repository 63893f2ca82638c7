import { WeaveError } from '../lib/errors.ts';

/** Text that is a full domain name in lower case, with the final dot: `bbox1.weave.local.`; {@link isHostname} tells. */
export type Hostname = string & { readonly kind: 'Hostname' };

export function isHostname(text: string): text is Hostname {
  return text.length <= 254 && /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.$/.test(text);
}

/** Text that stands for all names below one: `*.x.weave.local.`; {@link isWildcard} tells. */
export type Wildcard = string & { readonly kind: 'Wildcard' };

export function isWildcard(text: string): text is Wildcard {
  return text.startsWith('*.') && isHostname(text.slice(2));
}

/** A domain name as DNS has it, the final dot or not; or a wildcard. @throws WeaveError USAGE that begins with `what` */
export function checkName(what: string, text: string): void {
  if (text.length <= 254 && /^(\*\.)?[\w-]{1,63}(\.[\w-]{1,63})*\.?$/.test(text)) return;
  throw new WeaveError('USAGE', `${what}: '${text}' is not a name; write it like db.weave.local`);
}
