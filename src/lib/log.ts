import { type Logger as PinoLogger, pino } from 'pino';
import { LogFile } from './log-file.ts';
import type { LogLevel } from './log-level.ts';

/** The structured logger that is handed to constructors; one line of JSON an event. */
export type Logger = PinoLogger;

/** Root logger; by default to stderr (fd 2), so that stdout stays for what scripts parse. */
export function createLogger(level: LogLevel = 'info', file: LogFile = new LogFile({ to: 2 })): Logger {
  return pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, level: level === 'warning' ? 'warn' : level },
    file,
  );
}

/** A silent logger, for tests and short-lived commands. */
export const silent: Logger = pino({ level: 'silent' });
