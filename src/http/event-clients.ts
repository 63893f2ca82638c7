import type { ServerResponse } from 'node:http';
import type { Answer } from './router.ts';

/** Bounds of {@link EventClients}. */
export interface EventClientsOptions {
  /** at once */
  clients: number;
  /** bytes that wait for one that reads slowly; beyond, it is dropped, and begins anew if it likes */
  queue: number;
  /** ms between signs of life */
  pulse: number;
}

const defaults: EventClientsOptions = { clients: 32, queue: 4 * 1024 * 1024, pulse: 15_000 };

/** Those who are told of events as they come, by server-sent events. */
export class EventClients {
  readonly #options: EventClientsOptions;
  readonly #clients = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: Partial<EventClientsOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  get size(): number {
    return this.#clients.size;
  }

  /** What a new client is answered. @param hello the first event that it is told */
  answer(hello: () => unknown): Answer {
    const { clients } = this.#options;
    if (this.#clients.size >= clients) {
      return { status: 503, text: `${clients} clients follow already; close a page that shows them\n` };
    }
    return { type: 'text/event-stream', stream: (response) => this.#serve(response, hello) };
  }

  publish(event: string, data: unknown): void {
    if (this.#clients.size === 0) return;
    const text = textOf(event, data);
    for (const client of this.#clients) this.#write(client, text);
  }

  #serve(response: ServerResponse, hello: () => unknown): void {
    this.#clients.add(response);
    response.on('close', () => {
      this.#clients.delete(response);
      if (this.#clients.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    // A client that has gone without a word is found by what can't be written to it.
    this.#timer ??= setInterval(() => {
      for (const client of this.#clients) this.#write(client, ':\n\n');
    }, this.#options.pulse).unref();
    this.#write(response, textOf('hello', hello()));
  }

  #write(client: ServerResponse, text: string): void {
    client.write(text);
    if (client.writableLength > this.#options.queue) client.destroy();
  }
}

/** JSON has no line breaks of its own. */
const textOf = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
