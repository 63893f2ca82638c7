import { STATUS_CODES } from 'node:http';
import { Readable } from 'node:stream';
import type { EngineAnswer, ErrorAnswer } from './contract.ts';

/** An answer that is here as a whole. */
export interface WholeAnswer extends EngineAnswer {
  readonly body: Buffer;
}

/** An answer with this head, unchanged, and this body. */
export function whole(
  head: Pick<EngineAnswer, 'status' | 'statusText' | 'headers'>,
  body: Buffer,
): WholeAnswer {
  return {
    status: head.status,
    statusText: head.statusText,
    headers: head.headers,
    body,
    get stream() {
      return Readable.from([body], { objectMode: false });
    },
    buffer: () => Promise.resolve(body),
  };
}

/** The answer with another body and its length; everything else stays. */
export function withBody(answer: Omit<EngineAnswer, 'stream' | 'buffer'>, body: Buffer): WholeAnswer {
  const headers = answer.headers.filter(
    ([name]) => !/^(content-length|transfer-encoding|trailer)$/i.test(name),
  );
  return whole({ ...answer, headers: [...headers, ['Content-Length', String(body.length)]] }, body);
}

/** An answer of our own as the engine would write it. */
export function errorAnswer({ status, message }: ErrorAnswer): WholeAnswer {
  const head = {
    status,
    statusText: STATUS_CODES[status] ?? '',
    headers: [['Content-Type', 'application/json']] as const,
  };
  return withBody(head, Buffer.from(`${JSON.stringify({ message })}\n`));
}

/** The answer as it is sent. */
export function bytesOf({ status, statusText, headers, body }: WholeAnswer): Buffer {
  const fields = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} ${statusText}\r\n${fields}\r\n`, 'latin1'), body]);
}

/** An error after which the connection is closed. @param method that it answers, if that is known */
export function refusal(error: ErrorAnswer, method?: string): Buffer {
  const answer = errorAnswer(error);
  const headers = [...answer.headers, ['Connection', 'close'] as const];
  return bytesOf({ ...answer, headers, body: method === 'HEAD' ? Buffer.of() : answer.body });
}
