import { messageOf, WeaveError } from '../../lib/errors.ts';

/** Longest hostname that Linux takes, in bytes. */
const longest = 64;

/** The switches of `launch` that make a container's hostname. */
export interface HostnameOptions {
  /** take the name from this label, where a container has it */
  hostnameFromLabel: string | null;
  /** regular expression in Go's syntax */
  hostnameMatch: string;
  /** what each match becomes, in Go's syntax: `$1`, `${1}`, `$name` */
  hostnameReplacement: string;
  /** `weave.local.` */
  dnsDomain: string;
}

/** Makes hostnames of containers' names. */
export class Hostnames {
  readonly #options: HostnameOptions;
  readonly #match: RegExp;

  /** @throws WeaveError USAGE for an expression that has no meaning */
  constructor(options: HostnameOptions) {
    this.#options = options;
    this.#match = compile(options.hostnameMatch);
  }

  /**
   * The full name for a container, `bbox1.weave.local`.
   * @param name of the container, `''` if the engine makes one up
   * @returns `''` when there is no name to make it of; undefined when it is too long for Linux
   */
  of(name: string, labels: Readonly<Record<string, string>>): string | undefined {
    const { hostnameFromLabel, hostnameReplacement, dnsDomain } = this.#options;
    const useLabel = hostnameFromLabel !== null && Object.hasOwn(labels, hostnameFromLabel);
    const base = useLabel ? labels[hostnameFromLabel] : name;
    const host = base ? replaceAll(base, this.#match, hostnameReplacement) : '';
    if (host === '') return '';
    const full = `${host}.${dnsDomain.replace(/\.$/, '')}`;
    return Buffer.byteLength(full) > longest ? undefined : full;
  }
}

/** Classes that Go's expressions have inside brackets, and JavaScript's have not. */
const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};

/** A JavaScript expression of a Go one: named groups, leading flags, anchors and classes are spelled otherwise. */
function compile(source: string): RegExp {
  const [, flags = '', rest = ''] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(source) ?? [];
  const pattern = rest.replace(/\\.|\(\?P<|\[:(\w+):\]/gs, (found, posix?: string) => {
    if (found === '(?P<') return '(?<';
    if (found === '\\A') return '(?<![^])';
    if (found === '\\z') return '(?![^])';
    return (posix && posixClasses[posix]) ?? found;
  });
  try {
    return new RegExp(pattern, `g${flags}`);
  } catch (cause) {
    const reason = `--hostname-match '${source}' is not a regular expression: ${messageOf(cause)}`;
    throw new WeaveError('USAGE', reason, { cause });
  }
}

/** Go's ReplaceAllString: unlike JavaScript's, it passes over an empty match that touches the one before. */
function replaceAll(text: string, expression: RegExp, replacement: string): string {
  let result = '';
  let done = 0;
  for (const match of text.matchAll(expression)) {
    const end = match.index + match[0].length;
    if (end === done && end > 0) continue;
    result += text.slice(done, match.index) + expand(replacement, match);
    done = end;
  }
  return result + text.slice(done);
}

/** Go's templates: the longest name counts, and what matched nothing is empty. */
function expand(replacement: string, match: RegExpMatchArray): string {
  return replacement.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (found, bare?: string, braced?: string) => {
    const name = bare ?? braced;
    if (name === undefined) return found.slice(1);
    return (/^\d+$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? '';
  });
}
