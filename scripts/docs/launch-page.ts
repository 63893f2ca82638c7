import { spellings } from '../../src/cli/spellings.ts';
import { type LaunchOption, launchOptions } from '../../src/config/launch-options.ts';

const intro = `# The flags of launch

\`weavets launch [flags] [PEER…]\`. A flag given on the command line overrides its variable. Secrets belong in variables:
other users of the host can read a command line.

| flag | variable | default | what it does |
|---|---|---|---|
`;

/** docs/launch.md */
export function launchPage(): string {
  const rows = Object.entries<LaunchOption>(launchOptions).map(([name, option]) => {
    const flag = spellings(name, option).map(code).join(', ');
    const value = { flag: '', text: ' TEXT', number: ' NUMBER', file: ' FILE', list: ' TEXT' }[option.kind];
    const without = option.default === undefined ? (option.without ?? '') : code(option.default);
    const about = option.secret ? `${option.about} (secret)` : option.about;
    return `| ${[`${flag}${value}`, option.env ? code(option.env) : '', without, about].join(' | ')} |\n`;
  });
  return `${intro}${rows.join('')}`;
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}
