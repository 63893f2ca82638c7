import { WeaveError } from '../../lib/errors.ts';
import { overview, topics } from '../../report/status-text.ts';
import { command } from '../command.ts';
import { didYouMean } from '../suggest.ts';

export const status = command({
  name: 'status',
  operands: '[targets|connections|peers|dns|ipam]',
  about: 'Show what weavets does, in words',
  examples: [
    ['weavets status', 'an overview'],
    ['weavets status dns', 'every name and its address'],
  ],
  async run({ words }, { control, out }) {
    const [topic, ...more] = words;
    const render = topic === undefined ? overview : Object.hasOwn(topics, topic) && topics[topic];
    if (!render || more.length > 0) {
      throw new WeaveError(
        'USAGE',
        `no status of '${words.join(' ')}'${didYouMean(topic ?? '', Object.keys(topics))}`,
      );
    }
    render(await control.call('report', {})).forEach(out);
  },
});
