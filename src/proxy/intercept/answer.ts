import { Readable } from 'node:stream';
import type { EngineAnswer } from './contract.ts';

/** The answer with another body and its length; everything else stays. */
export function withBody(answer: EngineAnswer, body: Buffer): EngineAnswer {
  const headers = answer.headers.filter(
    ([name]) => !/^(content-length|transfer-encoding|trailer)$/i.test(name),
  );
  return {
    status: answer.status,
    statusText: answer.statusText,
    headers: [...headers, ['Content-Length', String(body.length)]],
    body,
    get stream() {
      return Readable.from([body], { objectMode: false });
    },
    buffer: () => Promise.resolve(body),
  };
}
