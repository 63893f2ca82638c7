import type { Report } from '../../report/report.ts';
import { overview, topics } from '../../report/status-text.ts';
import { type Answer, notFound, type Routes } from '../router.ts';

/** What can be read. */
export interface ReadDeps {
  report(): Report;
  metrics: {
    /** Content-Type of the text */
    type: string;
    /** in Prometheus' text format */
    text(): Promise<string>;
  };
}

/** `/status`, `/status/TOPIC`, `/report`, `/metrics`: the texts that the command line prints. */
export function readRoutes({ report, metrics }: ReadDeps): Routes {
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
        // A template is a program: it could run for long, on the daemon's time.
        if (parameters.has('format')) {
          return { status: 400, text: "templates are not rendered here; use 'weavets report -f TEMPLATE'\n" };
        }
        return { type: 'application/json', text: `${JSON.stringify(report(), null, 4)}\n` };
      },
    },
    '/metrics': { GET: async () => ({ type: metrics.type, text: await metrics.text() }) },
  };
}
