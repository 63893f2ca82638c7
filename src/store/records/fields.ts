/** Schemas of records' fields. Each check is the model's own. */
import * as v from 'valibot';
import { Cidr, type Ip, isIp } from '../../model/address.ts';
import { isMac, type Mac } from '../../model/mac.ts';
import { type Hostname, isHostname, isWildcard, type Wildcard } from '../../model/names.ts';

const text = (is: (value: string) => boolean) => (value: unknown) => typeof value === 'string' && is(value);

export const mac = v.custom<Mac>(text(isMac), 'not a MAC');
export const ip = v.custom<Ip>(text(isIp), 'not an IPv4 address');
export const hostname = v.custom<Hostname>(text(isHostname), 'not a full domain name');
export const wildcard = v.custom<Wildcard>(text(isWildcard), 'not a name that begins with *.');

/** Text of any length without control characters, such as that of another record. */
export const line = v.pipe(
  v.string(),
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  v.regex(/^[^\u0000-\u001f\u007f]+$/, 'has control characters'),
);

/** The same, short, such as a nickname. */
export const word = v.pipe(line, v.maxLength(255));

/** The same, or nothing. */
export const wordOrNone = v.union([v.literal(''), word]);

/** Name of a host: a MAC, or what `--name` made of it. */
export const peerName = v.pipe(v.string(), v.regex(/^[\w.:-]{1,64}$/, 'not the name of a host'));

/** Who has addresses or names: a container by its id, or a word such as `weave:expose`. */
export const owner = v.pipe(v.string(), v.regex(/^[\w.:-]{1,128}$/, 'not an owner'));

/** `10.2.1.1/24`, as a {@link Cidr}. */
export const cidr = v.pipe(
  v.string(),
  v.rawTransform<string, Cidr>(({ dataset, addIssue, NEVER }) => {
    try {
      return Cidr.parse(dataset.value);
    } catch {
      addIssue({ message: 'not an address in CIDR form' });
      return NEVER;
    }
  }),
);
