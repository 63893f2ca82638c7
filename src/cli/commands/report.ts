import { text } from '../../config/option.ts';
import { WeaveError } from '../../lib/errors.ts';
import { command, noWords } from '../command.ts';

export const report = command({
  name: 'report',
  about: 'Print all that weavets knows, as JSON or by a template',
  options: { f: { ...text('A template in the language of docker --format'), alias: 'format' } },
  examples: [
    ["weavets report -f '{{.DNS.Domain}}'", 'weave.local.'],
    ["weavets report -f '{{range .Router.Peers}}{{.NickName}} {{end}}'", 'the hosts'],
    ["weavets report -f '{{json .IPAM}}'", 'a part of it as JSON'],
  ],
  async run({ words, f: template, json }, { control, out }) {
    noWords(words);
    if (json && template !== undefined) throw new WeaveError('USAGE', 'choose --json or a template');
    // Parsed before the daemon is asked: a mistake in it should show even when nothing runs.
    const render =
      template === undefined
        ? undefined
        : (await import('../../report/template/template.ts')).compile(template);
    const all = await control.call('report', {});
    out(render === undefined ? JSON.stringify(all, null, 4) : render(all));
  },
});
