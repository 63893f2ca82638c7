import type { Operations } from '../control/contract.ts';
import { WeaveError } from '../lib/errors.ts';
import { isIp } from '../model/address.ts';
import { checkName } from '../model/names.ts';

/**
 * `[IP…] CONTAINER [-h FQDN]` or `IP… -h FQDN`: the last word is a container unless it is an address.
 * @throws WeaveError USAGE
 */
export function parseDnsOperands(
  words: readonly string[],
  fqdn: string | undefined,
): Operations['dnsAdd']['in'] {
  const last = words.at(-1);
  if (last === undefined) throw new WeaveError('USAGE', 'name the container, or addresses and -h FQDN');
  const container = isIp(last) ? null : last;
  const ips = container === null ? [...words] : words.slice(0, -1);
  const wrong = ips.find((ip) => !isIp(ip));
  if (wrong !== undefined) throw new WeaveError('USAGE', `'${wrong}' is not an IPv4 address`);
  if (container === null && fqdn === undefined) {
    throw new WeaveError('USAGE', 'addresses without a container need a name: -h FQDN');
  }
  if (fqdn !== undefined) checkName('-h', fqdn);
  return { container, ips, fqdn: fqdn ?? null };
}
