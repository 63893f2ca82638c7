import { WeaveError } from '../../lib/errors.ts';

/** What a template is made of: texts, outputs, and blocks that end with `end`. */
export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'output'; pipeline: Pipeline }
  | { kind: 'if' | 'with'; pipeline: Pipeline; body: Node[]; elseBody: Node[] }
  | { kind: 'range'; variables: string[]; pipeline: Pipeline; body: Node[]; elseBody: Node[] };

/** Commands that hand their value on as the last argument of the next; `$name :=` keeps it. */
export interface Pipeline {
  /** variable that is set, without `$` */
  declares: string | undefined;
  /** each a list of operands; the first may name a function */
  commands: Operand[][];
}

export type Operand =
  | { kind: 'literal'; value: unknown }
  | { kind: 'function'; name: string }
  | { kind: 'path'; base: 'dot' | { variable: string } | Pipeline; fields: string[] };

/** Characters that a template may have. */
const lengthLimit = 64 * 1024;
/** How deep blocks and parentheses may stand in each other. */
const depthLimit = 100;

/** @throws WeaveError USAGE that says what is wrong */
export function parseTemplate(template: string): Node[] {
  if (template.length > lengthLimit) throw templateError(`it is longer than ${lengthLimit} characters`);
  return new Parser(template).parse();
}

export function templateError(message: string): WeaveError {
  return new WeaveError('USAGE', `template: ${message}`);
}

/** A text, or the tokens between `{{` and `}}`. */
type Piece = { text: string } | { tokens: string[] };

const token =
  /\s*("(?:\\.|[^"\\])*"|`[^`]*`|[()|,]|:=|\$?(?:\.?[A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)*|\$|(?:\.[A-Za-z_]\w*)+|-?\d+(?:\.\d+)?|\.)/y;

class Parser {
  readonly #pieces: Piece[];
  #next = 0;
  #depth = 0;

  constructor(template: string) {
    this.#pieces = split(template);
  }

  parse(): Node[] {
    const { nodes, end } = this.#block();
    if (end !== undefined) throw templateError(`{{${end.join(' ')}}} without its beginning`);
    return nodes;
  }

  /** Nodes up to an `else` or `end` of the block around them, whose tokens it also gives. */
  #block(): { nodes: Node[]; end: string[] | undefined } {
    const nodes: Node[] = [];
    for (let piece = this.#pieces[this.#next++]; piece; piece = this.#pieces[this.#next++]) {
      if ('text' in piece) {
        nodes.push({ kind: 'text', text: piece.text });
        continue;
      }
      const [word, ...rest] = piece.tokens;
      if (word === 'else' || word === 'end') return { nodes, end: piece.tokens };
      if (word === 'if' || word === 'with' || word === 'range') nodes.push(this.#branch(word, rest));
      else nodes.push({ kind: 'output', pipeline: parsePipeline(piece.tokens) });
    }
    return { nodes, end: undefined };
  }

  #branch(kind: 'if' | 'with' | 'range', tokens: string[]): Node {
    checkDepth(++this.#depth);
    const { nodes, end } = this.#block();
    const elseBody = this.#otherwise(kind, end);
    this.#depth--;
    if (kind !== 'range') return { kind, pipeline: parsePipeline(tokens), body: nodes, elseBody };
    const assigned = tokens.indexOf(':=');
    const variables = tokens.slice(0, Math.max(assigned, 0)).filter((part) => part !== ',');
    const pipeline = parsePipeline(tokens.slice(assigned + 1));
    return { kind, variables: variables.map((name) => name.slice(1)), pipeline, body: nodes, elseBody };
  }

  /** What stands after `else`; `else if` is a block of its own that shares the `end`. */
  #otherwise(kind: string, end: string[] | undefined): Node[] {
    if (end === undefined) throw templateError(`{{${kind} …}} without {{end}}`);
    const [word, nested, ...rest] = end;
    if (word === 'end') return [];
    if (nested === 'if' || nested === 'with') return [this.#branch(nested, rest)];
    if (nested !== undefined) throw templateError(`unexpected '${nested}' after else`);
    const { nodes, end: last } = this.#block();
    if (last?.[0] !== 'end') throw templateError('{{else}} without {{end}}');
    return nodes;
  }
}

/** Cuts a template at its actions; `{{-` and `-}}` take the blanks beside them. */
function split(template: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (;;) {
    const opened = template.indexOf('{{', at);
    if (opened < 0) break;
    const trims = /^-\s/.test(template.slice(opened + 2, opened + 4));
    const before = template.slice(at, opened);
    const text = trims ? before.trimEnd() : before;
    if (text !== '') pieces.push({ text });
    const inside = lex(template, opened + (trims ? 3 : 2));
    if (inside.tokens.length > 0) pieces.push({ tokens: inside.tokens });
    at = inside.end;
  }
  if (at < template.length) pieces.push({ text: template.slice(at) });
  return pieces;
}

/** The tokens of an action, and where the text goes on after it. A comment has none. */
function lex(template: string, start: number): { tokens: string[]; end: number } {
  const tokens: string[] = [];
  const closing = /\s*(?:\/\*[\s\S]*?\*\/\s*)?(?:(?<=\s)-\}\}\s*|\}\})/y;
  let at = start;
  for (;;) {
    closing.lastIndex = at;
    const closed = closing.exec(template);
    if (closed !== null) return { tokens, end: closing.lastIndex };
    token.lastIndex = at;
    const found = token.exec(template);
    if (found?.[1] === undefined) {
      const rest = template.slice(at).trim().slice(0, 20);
      throw templateError(rest === '' ? '{{ without }}' : `cannot parse it at '${rest}'`);
    }
    // `(…).Field`: the field belongs to the parenthesis only if nothing stands between.
    const attached = tokens.at(-1) === ')' && found[1].startsWith('.') && found[0] === found[1];
    tokens.push(attached ? tokens.pop() + found[1] : found[1]);
    at = token.lastIndex;
  }
}

function parsePipeline(tokens: string[]): Pipeline {
  const rest = [...tokens];
  const pipeline = takePipeline(rest);
  if (rest.length > 0) throw templateError(`unexpected '${rest[0]}'`);
  return pipeline;
}

function checkDepth(depth: number): void {
  if (depth > depthLimit) throw templateError(`more than ${depthLimit} nested blocks or parentheses`);
}

/** Takes tokens up to the end or a closing parenthesis. */
function takePipeline(tokens: string[], depth = 0): Pipeline {
  checkDepth(depth);
  let declares: string | undefined;
  if (tokens[1] === ':=') declares = tokens.splice(0, 2)[0]?.slice(1);
  const commands: Operand[][] = [[]];
  while (tokens[0] !== undefined && !tokens[0].startsWith(')')) {
    const next = tokens.shift() ?? '';
    if (next === '|') commands.push([]);
    else commands.at(-1)?.push(takeOperand(next, tokens, depth));
  }
  if (commands.some((operands) => operands.length === 0)) throw templateError('an empty command');
  return { declares, commands };
}

const constants = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['nil', null],
]);

function takeOperand(word: string, tokens: string[], depth: number): Operand {
  if (word === '(') {
    const base = takePipeline(tokens, depth + 1);
    const closing = tokens.shift();
    if (closing === undefined) throw templateError("'(' without ')'");
    return { kind: 'path', base, fields: fieldsOf(closing.slice(1)) };
  }
  if (word.startsWith('"')) return { kind: 'literal', value: unquote(word) };
  if (word.startsWith('`')) return { kind: 'literal', value: word.slice(1, -1) };
  if (/^-?\d/.test(word)) return { kind: 'literal', value: Number(word) };
  if (word.startsWith('.')) return { kind: 'path', base: 'dot', fields: fieldsOf(word) };
  if (word.startsWith('$')) {
    const [variable = '', ...fields] = word.slice(1).split('.');
    return { kind: 'path', base: { variable }, fields };
  }
  if (constants.has(word)) return { kind: 'literal', value: constants.get(word) };
  if (/^[a-z]\w*$/i.test(word)) return { kind: 'function', name: word };
  throw templateError(`unexpected '${word}'`);
}

function fieldsOf(path: string): string[] {
  return path.split('.').filter((field) => field !== '');
}

function unquote(word: string): string {
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' };
  return word.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);
}
