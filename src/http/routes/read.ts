import type { Report } from '../../report/report.ts';
import { overview, topics } from '../../report/status-text.ts';
import { compile } from '../../report/template/template.ts';
import { type Answer, notFound, type Routes } from '../router.ts';

/** What can be read, and changes nothing. */
export interface ReadSources {
  report(): Report;
  metrics: {
    /** Content-Type of the text */
    type: string;
    /** in Prometheus' text format */
    text(): Promise<string>;
  };
}

/** `/status`, `/status/TOPIC`, `/report`, `/metrics`: the texts that the command line prints. */
export function readRoutes({ report, metrics }: ReadSources): Routes {
  const lines = (rows: readonly string[]): Answer => ({ text: rows.map((row) => `${row}\n`).join('') });
  return {
    '/status': { GET: () => lines(overview(report())) },
    '/status/:topic': {
      GET: ({ path: { topic } }) => {
        const render = Object.hasOwn(topics, topic) ? topics[topic] : undefined;
        if (render !== undefined) return lines(render(report()));
        return notFound(`no status of '${topic}'; there is ${Object.keys(topics).join(', ')}`);
      },
    },
    '/report': {
      GET: ({ parameters }) => {
        const template = parameters.get('format');
        if (template !== null) return { text: `${compile(template)(report())}\n` };
        return { type: 'application/json', text: `${JSON.stringify(report(), null, 4)}\n` };
      },
    },
    '/metrics': { GET: async () => ({ type: metrics.type, text: await metrics.text() }) },
  };
}
