/** Text that is a MAC, in lower case: `02:1f:00:00:00:01`; {@link isMac} tells. */
export type Mac = string & { readonly kind: 'Mac' };

export function isMac(text: string): text is Mac {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(text);
}
