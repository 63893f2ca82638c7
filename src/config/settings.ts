import type { LaunchOption, launchOptions } from './launch-options.ts';
import { launchOptions as rows } from './launch-options.ts';
import type { Args, Given } from './option.ts';

type Rows = typeof launchOptions;
type Parsed<R> = R extends { parse: (...given: never[]) => infer T } ? T : never;
type Bare<R extends LaunchOption> = R extends { parse: unknown } ? Parsed<R> : NonNullable<Given<R>>;
type Otherwise<R> = R extends { default: string } | { kind: 'flag' }
  ? never
  : R extends { otherwise: () => infer T }
    ? T
    : null;

/** The setting that a row makes from its flag. */
export type Setting<R extends LaunchOption> = Bare<R> | Otherwise<R>;

/** The settings, by flag. */
export type Settings = { [Name in keyof Rows]: Setting<Rows[Name]> };

/** Those settings that are fields of the LaunchConfig as they are. */
export type Fields = {
  [Name in keyof Rows as Rows[Name] extends { field: infer Field extends string } ? Field : never]: Setting<
    Rows[Name]
  >;
};

/** Every flag's setting: as given, by its variable, or by default. @throws WeaveError USAGE */
export function readSettings(args: Args<Rows>, env: NodeJS.ProcessEnv): Settings {
  const settings = Object.entries<LaunchOption>(rows).map(([name, row]) => [
    name,
    readSetting(row, given(name, row, { args, env })),
  ]);
  return Object.fromEntries(settings) as Settings;
}

/** Those of the settings that have a field. */
export function fieldsOf(settings: Settings): Fields {
  const named = Object.entries<LaunchOption>(rows).flatMap(([name, { field }]) =>
    field === undefined ? [] : [[field, settings[name as keyof Settings]]],
  );
  return Object.fromEntries(named) as Fields;
}

interface GivenValue {
  value: boolean | string | string[] | undefined;
  /** the flag or variable that it comes from */
  what: string;
}

function given(
  name: string,
  { env: variable, fromEnv = (text) => text || undefined }: LaunchOption,
  from: { args: Args<Rows>; env: NodeJS.ProcessEnv },
): GivenValue {
  const what = name.length === 1 ? `-${name}` : `--${name}`;
  const value = from.args[name as keyof Rows];
  if (value !== undefined || variable === undefined) return { value, what };
  const text = from.env[variable];
  return { value: text === undefined ? undefined : fromEnv(text), what: variable };
}

function readSetting(row: LaunchOption, { value, what }: GivenValue): unknown {
  const parse = (row.parse ?? ((text: unknown) => text)) as (given: unknown, what: string) => unknown;
  if (value !== undefined) return parse(value, what);
  if (row.kind === 'flag') return parse(row.default === 'true', what);
  if (row.default !== undefined) return parse(row.kind === 'list' ? [row.default] : row.default, what);
  return row.otherwise?.() ?? null;
}
