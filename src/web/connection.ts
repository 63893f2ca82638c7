import type { NetworkChange, NetworkView } from '../report/network.ts';
import { changed, type Network, networkOf } from './network.ts';

/** How the page stands with the daemon. */
export type Liveness = 'connecting' | 'live' | 'lost';

/** Told of the network as it changes, once for each frame that is drawn. */
export interface Listener {
  network(network: Network): void;
  liveness(liveness: Liveness): void;
}

/** ms until it is tried again, and the longest. */
const pauses = { first: 500, longest: 10_000 };

/**
 * Follows the daemon: opens the stream of changes, reads all there is, and applies the changes that are not in it yet.
 * A page that nobody looks at does not follow; it begins anew when it is looked at again.
 */
export function follow(listener: Listener): void {
  let source: EventSource | undefined;
  let timer = 0;
  let pause = pauses.first;

  function open(): void {
    close();
    const stream = new EventSource('/network/events');
    source = stream;
    let network: Network | undefined;
    let sequence = 0;
    let waiting: NetworkChange[] = [];
    let isDrawing = false;

    const draw = () => {
      isDrawing = false;
      if (network === undefined || source !== stream) return;
      const news = waiting.filter((change) => change.sequence > sequence);
      waiting = [];
      for (const change of news) network = changed(network, change);
      listener.network(network);
    };
    stream.addEventListener('hello', async () => {
      try {
        const view = (await read('/network')) as NetworkView;
        network = networkOf(view);
        sequence = view.sequence;
        if (source !== stream) return;
        pause = pauses.first;
        listener.liveness('live');
        draw();
      } catch {
        retry();
      }
    });
    stream.addEventListener('change', ({ data }) => {
      waiting.push(JSON.parse(data));
      if (network === undefined || isDrawing) return;
      isDrawing = true;
      requestAnimationFrame(draw);
    });
    // Not left to the browser: it does not try again after an answer such as 503.
    stream.onerror = () => {
      if (source === stream) retry();
    };
  }

  function retry(): void {
    close();
    listener.liveness('lost');
    timer = window.setTimeout(open, pause);
    pause = Math.min(pause * 2, pauses.longest);
  }

  function close(): void {
    window.clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) close();
    else open();
  });
  // A page that is kept for going back to must not keep a connection.
  window.addEventListener('pagehide', close);
  open();
}

/** @throws when the daemon does not answer, or not with 200 */
export async function read(path: string): Promise<unknown> {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}
