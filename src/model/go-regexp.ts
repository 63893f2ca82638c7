import { type Matcher, RE2JS } from 're2js';
import { messageOf, WeaveError } from '../lib/errors.ts';

/** A Go regular expression: Go's syntax and replacements, in linear time. */
export class GoRegExp {
  readonly #expression: RE2JS;

  /** @param what the flag @throws WeaveError USAGE for an invalid expression */
  constructor(source: string, what: string) {
    try {
      this.#expression = RE2JS.compile(source);
    } catch (cause) {
      const reason = `${what}: '${source}' is not a regular expression: ${messageOf(cause)}`;
      throw new WeaveError('USAGE', reason, { cause });
    }
  }

  /** Go's ReplaceAllString: skips an empty match next to the one before. */
  replaceAll(text: string, replacement: string): string {
    const matcher = this.#expression.matcher(text);
    let result = '';
    let done = 0;
    while (matcher.find()) {
      if (matcher.end() === done && done > 0) continue;
      result += text.slice(done, matcher.start()) + this.#expand(replacement, matcher);
      done = matcher.end();
    }
    return result + text.slice(done);
  }

  /** Go's templates: the longest name counts, and a group without a match is empty. */
  #expand(replacement: string, matcher: Matcher): string {
    return replacement.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (found, bare?: string, braced?: string) => {
      const name = bare ?? braced;
      if (name === undefined) return found.slice(1);
      const index = /^\d+$/.test(name) ? Number(name) : this.#expression.namedGroups()[name];
      if (index === undefined || index > this.#expression.groupCount()) return '';
      return matcher.group(index) ?? '';
    });
  }
}
