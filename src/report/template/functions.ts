import { isDeepStrictEqual } from 'node:util';
import { templateError } from './parse.ts';

/** Characters that one call may make, and columns that printf may fill. */
const longest = 64 * 1024 * 1024;
const widest = 1_000;
/** Parts that split gives. */
const mostParts = 1_000_000;

type TemplateFunction = (...values: unknown[]) => unknown;

/** What templates may call, by name. */
export const functions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['json', (value) => toJson(value)],
  ['prettyjson', (value) => toJson(value, 4)],
  ['len', (value) => lengthOf(value)],
  ['index', (value, ...keys) => keys.reduce(at, value)],
  ['print', (...values) => joined(values.map(show), '')],
  ['println', (...values) => `${joined(values.map(show), ' ')}\n`],
  ['printf', (format, ...values) => printf(show(format), values)],
  ['eq', (value, ...others) => others.some((other) => isDeepStrictEqual(value, other))],
  ['ne', (a, b) => !isDeepStrictEqual(a, b)],
  ['lt', (a, b) => compare(a, b) < 0],
  ['le', (a, b) => compare(a, b) <= 0],
  ['gt', (a, b) => compare(a, b) > 0],
  ['ge', (a, b) => compare(a, b) >= 0],
  ['not', (value) => !truth(value)],
  ['and', (...values) => values.find((value) => !truth(value)) ?? values.at(-1)],
  ['or', (...values) => values.find(truth) ?? values.at(-1)],
  ['join', (list, separator) => joined(items(list).map(show), show(separator))],
  ['split', (text, separator) => show(text).split(show(separator), mostParts)],
  ['lower', (text) => show(text).toLowerCase()],
  ['upper', (text) => show(text).toUpperCase()],
]);

/** Go's truth: false, 0, nil, and everything that is empty is false. */
export function truth(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return lengthOf(value) > 0;
  return Boolean(value);
}

/** A value as Go prints it: `[a b]`, `map[k:v]`. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const keys = Object.keys(value).sort();
  return `map[${keys.map((key) => `${key}:${show(Reflect.get(value, key))}`).join(' ')}]`;
}

function joined(parts: readonly string[], separator: string): string {
  checkLength(parts.reduce((sum, { length }) => sum + length + separator.length, 0));
  return parts.join(separator);
}

function checkLength(length: number): void {
  if (length > longest) throw templateError(`it makes more than ${longest} characters`);
}

/** nil is null. */
function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value ?? null, null, indent);
}

function lengthOf(value: unknown): number {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (typeof value === 'object') return Object.keys(value).length;
  throw templateError(`len of ${show(value)}`);
}

function at(value: unknown, key: unknown): unknown {
  const found =
    typeof value === 'object' && value !== null && Object.hasOwn(value, String(key))
      ? Reflect.get(value, String(key))
      : undefined;
  if (found === undefined) throw templateError(`index ${show(key)} is out of range`);
  return found;
}

function items(value: unknown): unknown[] {
  if (value === null) return [];
  if (Array.isArray(value)) return value;
  throw templateError(`join needs a list, not ${show(value)}`);
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : Number(a > b);
  throw templateError(`${show(a)} and ${show(b)} can't be compared`);
}

/** Go's printf, for the verbs v s q d x X f t, with flags `-` and `0`, width and precision. */
function printf(format: string, values: readonly unknown[]): string {
  let used = 0;
  let made = 0;
  return format.replace(
    /%([-0+]*)(\d*)(?:\.(\d+))?(.)/g,
    (all, flags: string, width: string, precision, verb) => {
      if (verb === '%') return '%';
      if (used >= values.length) throw templateError(`printf has no value for ${all}`);
      if (Number(width) > widest || Number(precision ?? 0) > widest) {
        throw templateError(`printf fills ${widest} columns at most, not ${all.slice(0, 20)}`);
      }
      const text = formatValue(verb, values[used++], precision === undefined ? undefined : Number(precision));
      made += text.length;
      checkLength(made);
      if (flags.includes('-')) return text.padEnd(Number(width));
      return text.padStart(Number(width), flags.includes('0') ? '0' : ' ');
    },
  );
}

function formatValue(verb: string, value: unknown, precision: number | undefined): string {
  switch (verb) {
    case 'v':
    case 't':
      return show(value);
    case 's':
      return show(value).slice(0, precision);
    case 'q':
      return JSON.stringify(show(value));
    case 'd':
      return Math.trunc(Number(value)).toString();
    case 'x':
      return Number(value).toString(16);
    case 'X':
      return Number(value).toString(16).toUpperCase();
    case 'f':
      return Number(value).toFixed(Math.min(precision ?? 6, 100));
    default:
      throw templateError(`printf does not know %${verb}`);
  }
}
