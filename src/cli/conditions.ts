import type { Report } from '../report/report.ts';
import type { Context } from './command.ts';

/** Prints what is wrong on this host now, a line each, on standard error. */
export async function warnOfConditions({ control, err }: Pick<Context, 'control' | 'err'>): Promise<void> {
  const { Conditions }: Pick<Report, 'Conditions'> = await control.call('report', {});
  for (const { Text } of Conditions) err(`warning: ${Text}`);
}
