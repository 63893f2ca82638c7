import { wrap } from '../lib/wrap.ts';
import type { Check, Health } from './report.ts';

/** What the screen is like. */
export interface ScreenOptions {
  columns: number;
  colors: boolean;
  now: Date;
}

const marks = { ok: 'ok', wrong: '!!', off: '--' } as const;
/** Of a terminal: green, red, dim. */
const colors = { ok: 32, wrong: 31, off: 2 } as const;

/** How all is, on one screen of a terminal: the verdict, what each thing does, and what to do. */
export function screen(health: Health, { columns, colors: colored, now }: ScreenOptions): string[] {
  const paint = (text: string, state: Check['state']) =>
    colored ? `\x1b[${colors[state]}m${text}\x1b[0m` : text;
  const count = health.todo.length;
  const verdict = health.well
    ? 'all is well'
    : count > 0
      ? `${count} ${count === 1 ? 'thing' : 'things'} to do`
      : 'not all is well';
  const width = Math.max(...health.checks.map(({ subject }) => subject.length));
  const rows = health.checks.flatMap(({ subject, state, text }) => {
    const head = `  ${marks[state]}  ${subject.padEnd(width)}  `;
    return wrap(text, columns - head.length).map((line, index) =>
      index === 0 ? `${paint(head, state)}${line}` : `${' '.repeat(head.length)}${line}`,
    );
  });
  const todo = health.todo.flatMap(({ Text, Since }, index) => {
    const head = `  ${index + 1}. `;
    return wrap(`${Text} (since ${ago(new Date(Since), now)})`, columns - head.length).map((line, at) =>
      at === 0 ? `${head}${line}` : `${' '.repeat(head.length)}${line}`,
    );
  });
  return [
    `weavets ${health.version} on ${health.host}: ${paint(verdict, health.well ? 'ok' : 'wrong')}`,
    '',
    ...rows,
    ...(todo.length > 0 ? ['', 'What to do:', ...todo] : []),
  ];
}

/** `14:02, 5 min ago` */
function ago(since: Date, now: Date): string {
  const minutes = Math.max(0, Math.round((now.getTime() - since.getTime()) / 60_000));
  const time = `${since.toTimeString().slice(0, 5)}`;
  if (minutes < 60) return `${time}, ${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48
    ? `${time}, ${hours} h ago`
    : `${since.toISOString().slice(0, 10)}, ${Math.round(hours / 24)} days ago`;
}
