import { ControlClient } from '../control/client.ts';
import { runCli } from './cli.ts';
import { confirm } from './confirm.ts';

// A reader like `head` that has enough is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  control: new ControlClient(),
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  confirm,
  terminal: {
    out: process.stdout.isTTY,
    err: process.stderr.isTTY,
    columns: process.stdout.columns || 80,
    colors: process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
  },
  transient: (text) => {
    // To the start of the line, and clears it.
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  },
});
