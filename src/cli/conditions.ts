import type { Report } from '../report/report.ts';
import type { Context } from './command.ts';

/** Prints what is wrong on this host now, a line each, on standard error. @returns all else that the daemon knows */
export async function warnOfConditions({ control, err }: Pick<Context, 'control' | 'err'>): Promise<Report> {
  const report: Report = await control.call('report', {});
  for (const { Text } of report.Conditions) err(`warning: ${Text}`);
  return report;
}
