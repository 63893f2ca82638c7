import { request as httpRequest } from 'node:http';
import { parseErrorCode, WeaveError } from '../lib/errors.ts';
import { logPlace, paths } from '../model/paths.ts';
import type { Operation, Operations } from './contract.ts';

/** Options of {@link ControlClient.call}. */
export interface CallOptions {
  signal?: AbortSignal;
  /** milliseconds; default: as long as it takes */
  timeoutMs?: number;
}

/**
 * Calls the daemon's operations. Every command waits for this module to load, so it takes node:http: undici would
 * add a tenth of a second to each.
 */
export class ControlClient {
  readonly #path: string;

  constructor(path: string = paths.control) {
    this.#path = path;
  }

  /**
   * @throws WeaveError as the daemon threw it; NOT_RUNNING if there is no daemon or it ended midway; INTERNAL if it hangs;
   * NOT_ROOT if the socket may not be opened; the signal's reason if it aborts
   */
  async call<K extends Operation>(
    operation: K,
    input: Operations[K]['in'],
    options: CallOptions = {},
  ): Promise<Operations[K]['out']> {
    const timeout = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs);
    const signals = [options.signal, timeout].filter((signal) => signal !== undefined);
    try {
      const { status, body } = await this.#post(operation, JSON.stringify(input), AbortSignal.any(signals));
      if (status !== 200) throw errorOf(body);
      return JSON.parse(body);
    } catch (error) {
      if (error instanceof WeaveError) throw error;
      options.signal?.throwIfAborted();
      if (timeout?.aborted) {
        const message = `weavets did not answer '${operation}' within ${options.timeoutMs} ms; see ${logPlace}`;
        throw new WeaveError('INTERNAL', message, { cause: error });
      }
      throw explain(error, operation);
    }
  }

  #post(operation: string, body: string, signal: AbortSignal): Promise<{ status?: number; body: string }> {
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        socketPath: this.#path,
        path: `/op/${operation}`,
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Connection: 'close' },
        signal,
      });
      request.on('error', reject);
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, body: text }));
      });
      request.end(body);
    });
  }
}

/** The error that the daemon put into an answer. */
function errorOf(body: string): WeaveError {
  const { code, message } = JSON.parse(body) as { code: string; message: string };
  return new WeaveError(parseErrorCode(code) ?? 'INTERNAL', message);
}

function explain(error: unknown, operation: string): unknown {
  const cause = error as NodeJS.ErrnoException;
  switch (cause.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return new WeaveError('NOT_RUNNING', 'weavets is not running; start it with: weavets launch', {
        cause,
      });
    case 'EACCES':
    case 'EPERM':
      return new WeaveError('NOT_ROOT', 'only root may control weavets; run this as root or with sudo', {
        cause,
      });
    case 'ECONNRESET':
    case 'EPIPE':
      return new WeaveError(
        'NOT_RUNNING',
        `weavets ended before it answered '${operation}'; see ${logPlace}`,
        {
          cause,
        },
      );
    default:
      return error;
  }
}
