import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { codeOf, messageOf, statusOf, WeaveError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { readBody } from '../lib/read-body.ts';
import { refusal } from './guard.ts';

/** A request, as a route sees it. */
export interface RouteCall {
  /** the pattern's `:words`, decoded; those that it has not are empty */
  path: { id: string; ip: string; cidr: string; topic: string };
  /** of the query, and of a form in the body */
  parameters: URLSearchParams;
  headers: IncomingHttpHeaders;
}

/** What a route answers: 200 with a text, or 204 without one; or another status. */
export interface Answer {
  status?: number;
  text?: string | Uint8Array;
  /** Content-Type; default: plain text */
  type?: string;
  headers?: Record<string, string>;
  /** in place of a text: what is told as it comes, until the client has gone or this server ends */
  stream?: (response: ServerResponse) => void;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
type Route = (call: RouteCall) => Answer | Promise<Answer>;

/** Patterns such as `/ip/:id/:cidr`, with what each method does there. A CIDR may have its slash as it is. */
export type Routes = Record<string, Partial<Record<Method, Route>>>;

/** 404, with the reason. */
export function notFound(reason: string): Answer {
  return { status: 404, text: `${reason}\n` };
}

const plain = 'text/plain; charset=utf-8';
/** Bytes that a form may have. */
const formLimit = 64 * 1024;

/** Serves routes to requests that the guard accepts; an error is a line of text with a status of 4xx or 5xx. */
export function serveRoutes(
  routes: Routes,
  { isOurHost, logger }: { isOurHost: (name: string) => boolean; logger: Logger },
): RequestListener {
  const compiled = Object.entries(routes).map(([pattern, methods]) => ({
    matcher: matcherOf(pattern),
    methods,
  }));

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refused = refusal(request.headers, isOurHost);
    if (refused !== undefined) return send(response, 403, { text: `${refused}\n` });
    const url = request.url ?? '';
    const [path = ''] = url.split('?', 1);
    const found = compiled
      .map(({ matcher, methods }) => ({ match: matcher.exec(path), methods }))
      .find(({ match }) => match !== null);
    if (!found?.match) return send(response, 404, notFound(`there is nothing at ${path}`));
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = Object.entries(found.methods).find(([name]) => name === method)?.[1];
    if (route === undefined) {
      const allowed = Object.keys(found.methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : name));
      response.setHeader('Allow', allowed.join(', '));
      return send(response, 405, { text: `${path} takes ${allowed.join(', ')}\n` });
    }
    const parameters = new URLSearchParams(url.slice(path.length));
    for (const [name, value] of await readForm(request)) parameters.append(name, value);
    const answer = await route({ path: decode(found.match.groups), parameters, headers: request.headers });
    const { stream, text, status = text === undefined && stream === undefined ? 204 : 200 } = answer;
    if (stream === undefined || request.method === 'HEAD') return send(response, status, answer);
    response.writeHead(status, headersOf(answer));
    stream(response);
  }

  return (request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (!(error instanceof WeaveError)) logger.error({ err: error, url: request.url }, 'request failed');
      send(response, statusOf(codeOf(error)), { text: `${messageOf(error)}\n` });
    });
  };
}

function matcherOf(pattern: string): RegExp {
  const source = pattern
    .replace(':cidr', '(?<cidr>[^/]+(?:/\\d+)?)')
    .replace(/:(id|ip|topic)/g, '(?<$1>[^/]+)');
  return new RegExp(`^${source}$`);
}

function decode(groups: Record<string, string> = {}): RouteCall['path'] {
  try {
    const word = (name: string) => decodeURIComponent(groups[name] ?? '');
    return { id: word('id'), ip: word('ip'), cidr: word('cidr'), topic: word('topic') };
  } catch (error) {
    throw new WeaveError('BAD_REQUEST', 'the path is not properly percent-encoded', { cause: error });
  }
}

/** Weave Net's scripts send parameters by `curl -d`, as a form. */
async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const body = await readBody(request, formLimit);
  if (body !== '' && !request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    throw new WeaveError('BAD_REQUEST', 'a body must be a form: application/x-www-form-urlencoded');
  }
  return new URLSearchParams(body);
}

function send(response: ServerResponse, status: number, answer: Answer): void {
  response.writeHead(status, headersOf(answer));
  response.end(answer.text);
}

function headersOf({ text, type = plain, headers, stream }: Answer) {
  return {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...((text !== undefined || stream !== undefined) && { 'Content-Type': type }),
    ...(text !== undefined && { 'Content-Length': Buffer.byteLength(text) }),
    ...headers,
  };
}
