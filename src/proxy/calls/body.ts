/**
 * Lossless edits of JSON bodies that the engine, a Go program, reads. Only what is set changes; the rest keeps its
 * very bytes: numbers, escapes, order, spaces. Reading follows encoding/json, so that nothing hides from us what the
 * engine would honour: names match whatever their case, and of several members with one name the last one counts.
 */

/** A member of a type that the engine refuses. Let the engine say so itself. */
export class UnexpectedType extends Error {}

/** A member's source: all between two commas of its object. */
interface Member {
  /** decoded */
  name: string;
  /** the same, as names are compared */
  folded: string;
  text: string;
  /** where the value begins in `text`; it may be followed by spaces */
  valueAt: number;
}

/**
 * A JSON object of the engine's, in source form. Text is held with one character a byte (latin1), so that bytes
 * which are no UTF-8 survive too.
 */
export class JsonObject {
  #members: Member[];
  readonly #before: string;
  readonly #after: string;

  private constructor(members: Member[], before = '', after = '') {
    this.#members = members;
    this.#before = before;
    this.#after = after;
  }

  static empty(): JsonObject {
    return new JsonObject([]);
  }

  /** @returns undefined if the body does not begin with a JSON object; anything after it is kept */
  static parse(body: Buffer): JsonObject | undefined {
    const source = body.toString('latin1');
    const start = source.search(/[^ \t\r\n]/);
    if (source[start] !== '{') return undefined;
    const end = closing(source, start);
    const text = source.slice(start, end);
    try {
      JSON.parse(text);
    } catch {
      return undefined;
    }
    return new JsonObject(split(text).map(toMember), source.slice(0, start), source.slice(end));
  }

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  toBuffer(): Buffer {
    return Buffer.from(this.#before + this.#text + this.#after, 'latin1');
  }

  /** True if there is a member of this name, even null. */
  has(name: string): boolean {
    return this.#named(name).length > 0;
  }

  /** A string; `''` when there is none, as in Go. */
  string(name: string): string {
    // Go leaves a string as it was when it meets null.
    const value = this.#values(name).findLast((candidate) => candidate !== null);
    return value === undefined ? '' : asString(value);
  }

  /** A number; 0 when there is none, as in Go. */
  number(name: string): number {
    const value = this.#values(name).findLast((candidate) => candidate !== null);
    return typeof value === 'number' ? value : 0;
  }

  /** A list of strings; undefined when there is none or null. */
  strings(name: string): string[] | undefined {
    const value = this.#values(name).at(-1) ?? undefined;
    return value === undefined ? undefined : asStrings(value);
  }

  /** A command line, which may be a list or one string. */
  command(name: string): string[] | undefined {
    const value = this.#values(name).at(-1) ?? undefined;
    return typeof value === 'string' ? [value] : value === undefined ? undefined : asStrings(value);
  }

  /** A map of strings; several members of this name add up, as in Go. */
  map(name: string): Record<string, string> {
    const members = this.#inner(name) ?? [];
    return Object.fromEntries(members.map((member) => [member.name, asString(valueIn(member) ?? '')]));
  }

  /** An object to read and edit; {@link set} puts it back. Several members of this name add up, as in Go. */
  object(name: string): JsonObject | undefined {
    const members = this.#inner(name);
    return members && new JsonObject(members);
  }

  /** The objects of a list; none when there is no such list. */
  objects(name: string): JsonObject[] {
    const last = this.#named(name).at(-1);
    if (last === undefined || valueIn(last) === null) return [];
    return split(textOf(last, '[')).flatMap((element) => JsonObject.of(element) ?? []);
  }

  /** Names of a map's entries. */
  keys(name: string): string[] {
    return (this.#inner(name) ?? []).map((member) => member.name);
  }

  /** Sets a member, replacing every spelling that the engine accepts for it. */
  set(name: string, value: string | number | boolean | readonly string[] | null | JsonObject): void {
    this.#replace(name, value instanceof JsonObject ? value.#text : asBytes(JSON.stringify(value)));
  }

  /** Removes the entries of a map whose keys match. */
  removeKeys(name: string, matches: (key: string) => boolean): void {
    const members = this.#inner(name) ?? [];
    const left = members.filter((member) => !matches(member.name));
    if (left.length < members.length) this.set(name, new JsonObject(left));
  }

  /** Edits the objects of a map, each by itself: their names may differ by case alone. */
  editEntries(name: string, edit: (entry: JsonObject) => void): void {
    const members = this.#inner(name);
    if (members === undefined) return;
    const edited = members.map((member) => {
      const entry = JsonObject.of(member.text.slice(member.valueAt));
      if (entry === undefined) return member;
      edit(entry);
      return { ...member, text: member.text.slice(0, member.valueAt) + entry.#text };
    });
    this.set(name, new JsonObject(edited));
  }

  /** Removes objects from a list. */
  removeObjects(name: string, matches: (object: JsonObject) => boolean): void {
    const last = this.#named(name).at(-1);
    if (last === undefined || valueIn(last) === null) return;
    const elements = split(textOf(last, '['));
    const left = elements.filter((element) => {
      const object = JsonObject.of(element);
      return object === undefined || !matches(object);
    });
    if (left.length < elements.length) this.#replace(name, `[${left.join(',')}]`);
  }

  /** @param text source of an object; for that of null there is none */
  static of(text: string): JsonObject | undefined {
    const source = text.trim();
    return source === 'null' ? undefined : new JsonObject(split(expect(source, '{')).map(toMember));
  }

  get #text(): string {
    return `{${this.#members.map(({ text }) => text).join(',')}}`;
  }

  #replace(name: string, value: string): void {
    const old = this.#named(name);
    const last = old.at(-1);
    if (last === undefined) {
      this.#members.push(toMember(`${JSON.stringify(name)}:${value}`));
      return;
    }
    const text = last.text.slice(0, last.valueAt) + value;
    this.#members = this.#members
      .filter((member) => member === last || !old.includes(member))
      .map((member) => (member === last ? { ...member, text } : member));
  }

  #named(name: string): Member[] {
    const wanted = fold(name);
    return this.#members.filter(({ folded }) => folded === wanted);
  }

  #values(name: string): unknown[] {
    return this.#named(name).map(valueIn);
  }

  /** Members of all objects of this name since the last null. */
  #inner(name: string): Member[] | undefined {
    const variants = this.#named(name);
    const live = variants.slice(variants.findLastIndex((member) => valueIn(member) === null) + 1);
    if (live.length === 0) return undefined;
    return live.flatMap((member) => split(textOf(member, '{')).map(toMember));
  }
}

/** As encoding/json compares names: by Unicode's simple folding, where U+017F is an s and U+212A a k. */
function fold(name: string): string {
  return name.toLowerCase().replaceAll('\u017f', 's');
}

function toMember(text: string): Member {
  const nameAt = text.indexOf('"');
  const nameEnd = stringEnd(text, nameAt);
  const colon = text.indexOf(':', nameEnd);
  const valueAt = colon + 1 + text.slice(colon + 1).search(/[^ \t\r\n]/);
  const name = decode(text.slice(nameAt, nameEnd)) as string;
  return { name, folded: fold(name), text, valueAt };
}

function valueIn({ text, valueAt }: Member): unknown {
  return decode(text.slice(valueAt));
}

function textOf({ text, valueAt }: Member, opening: '{' | '['): string {
  return expect(text.slice(valueAt), opening);
}

function expect(text: string, opening: '{' | '['): string {
  if (text[0] !== opening) throw new UnexpectedType();
  return text;
}

function decode(text: string): unknown {
  // As a rule there is nothing to decode, and much to look at.
  const isAscii = !/[\x80-\xff]/.test(text);
  return JSON.parse(isAscii ? text : Buffer.from(text, 'latin1').toString('utf8'));
}

function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function asString(value: unknown): string {
  if (typeof value !== 'string') throw new UnexpectedType();
  return value;
}

function asStrings(value: unknown): string[] {
  if (!Array.isArray(value)) throw new UnexpectedType();
  return value.map((element: unknown) => asString(element ?? ''));
}

/** The sources between the commas of an object or a list, which must be valid JSON. */
function split(text: string): string[] {
  const pieces: string[] = [];
  let depth = 0;
  let start = 1;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = stringEnd(text, at) - 1;
    else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    if ((char === ',' && depth === 1) || depth === 0) {
      pieces.push(text.slice(start, at));
      start = at + 1;
    }
    if (depth === 0) break;
  }
  return pieces.length === 1 && pieces[0]?.trim() === '' ? [] : pieces;
}

/** Index after the bracket that closes the one at `start`; the end of the text if none does. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = stringEnd(text, at) - 1;
    else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1;
  }
  return text.length;
}

/** Index after the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}
