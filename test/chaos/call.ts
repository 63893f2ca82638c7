import { request } from 'node:http';

/** A call over a unix socket. */
export interface Call {
  socketPath: string;
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  body?: unknown;
  /** default 10 s */
  ms?: number;
}

/** Calls a daemon or an engine. @returns the body of an answer below 300 or of 304 @throws on any other, or on none in time */
export function call({ socketPath, method, path, body, ms = 10_000 }: Call): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const signal = AbortSignal.timeout(ms);
    const failed = (error: Error) =>
      reject(signal.aborted ? new Error(`${method} ${path}: no answer after ${ms / 1000} s`) : error);
    const sent = request({ socketPath, method, path, headers, agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', failed);
      response.on('end', () => {
        const { statusCode = 0 } = response;
        if (statusCode < 300 || statusCode === 304) resolve(text);
        else reject(new Error(`${method} ${path}: ${statusCode} ${text.trim()}`));
      });
    });
    sent.on('error', failed);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
