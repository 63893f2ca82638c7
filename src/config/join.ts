import { WeaveError } from '../lib/errors.ts';
import { parsePeers } from './peers.ts';

/** What `--join` takes: `TOKEN@HOST`. @throws WeaveError USAGE that does not show the token */
export function splitJoin(text: string): { token: string; host: string } {
  const at = text.indexOf('@');
  const [token, host] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 0 || token === '') {
    throw new WeaveError(
      'USAGE',
      "--join takes TOKEN@HOST, as 'weavets cluster token' on that host prints it",
    );
  }
  parsePeers([host]);
  return { token, host };
}
