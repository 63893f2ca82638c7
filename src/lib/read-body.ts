import { WeaveError } from './errors.ts';

/** The whole body of a request. @param limit bytes @throws WeaveError BODY_TOO_LARGE */
export async function readBody(request: AsyncIterable<Buffer>, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Reads an oversized body to its end without keeping it: only then does the client read the refusal.
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
  }
  if (size > limit) throw new WeaveError('BODY_TOO_LARGE', `a request may have at most ${limit} bytes`);
  return Buffer.concat(chunks).toString();
}
