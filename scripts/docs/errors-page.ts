import { type ErrorCode, errorCodes, errors, isLasting } from '../../src/lib/errors.ts';

const intro = `# Errors

Every error that weavets reports has a code. The command line prints it after the message, or, with \`--json\`, as
\`{"code","message"}\` on standard error; the exit code is 1. Answers of the control socket have the same form, and
entries in the log carry the code. Scripts may rely on the codes; the messages can change.

\`launch --foreground\`, which the service runs, exits with 78 for those that last until somebody changes something, and
systemd does not start it again: ${errorCodes.filter(isLasting).join(', ')}.

| code | what it means | what to do |
|---|---|---|
`;

/** docs/errors.md */
export function errorsPage(): string {
  const rows = (Object.keys(errors) as ErrorCode[]).map(
    (code) => `| ${code} | ${errors[code].means} | ${errors[code].todo} |\n`,
  );
  return `${intro}${rows.join('')}`;
}
