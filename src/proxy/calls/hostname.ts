import { GoRegExp } from '../../model/go-regexp.ts';

/** Longest hostname that Linux takes, in bytes. */
const longest = 64;

/** The flags of `launch` that shape a container's hostname. */
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

/** Makes hostnames from containers' names. */
export class Hostnames {
  readonly #options: HostnameOptions;
  readonly #match: GoRegExp;
  /** The expressions as they are by default: they leave each name as it is, and are asked several times a start. */
  readonly #asIs: boolean;

  /** @throws WeaveError USAGE for an invalid expression */
  constructor(options: HostnameOptions) {
    this.#options = options;
    this.#match = new GoRegExp(options.hostnameMatch, '--hostname-match');
    this.#asIs = options.hostnameMatch === '(.*)' && options.hostnameReplacement === '$1';
  }

  /**
   * The full name for a container, `bbox1.weave.local`.
   * @param name of the container, `''` if the engine makes one up
   * @returns `''` without a name; undefined if it is too long for Linux
   */
  of(name: string, labels: Readonly<Record<string, string>>): string | undefined {
    const { hostnameFromLabel, hostnameReplacement, dnsDomain } = this.#options;
    const useLabel = hostnameFromLabel !== null && Object.hasOwn(labels, hostnameFromLabel);
    const base = useLabel ? labels[hostnameFromLabel] : name;
    if (!base) return '';
    const host = this.#asIs ? base : this.#match.replaceAll(base, hostnameReplacement);
    if (host === '') return '';
    const full = `${host}.${dnsDomain.replace(/\.$/, '')}`;
    return Buffer.byteLength(full) > longest ? undefined : full;
  }
}
