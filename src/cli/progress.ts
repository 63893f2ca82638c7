/** ms until a person wonders */
const patience = 1_000;

/** Shows a person what is being done, and for how long, once it takes longer than a moment. */
export class Progress {
  readonly #show: (text: string) => void;
  readonly #began = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #what = 'waiting for weavets';
  #shown = false;

  /** @param show puts a text in the place of the last; empty: none */
  constructor(show: (text: string) => void) {
    this.#show = show;
    this.start();
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), patience).unref();
  }

  /** Empty: shows nothing from here on. */
  doing(what: string): void {
    this.#what = what;
    if (what === '') this.stop();
    else if (this.#shown) this.#tick();
  }

  /** A line is printed; it is shown again a moment later. */
  hide(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#show('');
  }

  stop(): void {
    clearInterval(this.#timer);
    this.hide();
  }

  #tick(): void {
    this.#shown = true;
    this.#show(`${this.#what}\u2026 ${Math.floor((performance.now() - this.#began) / 1000)} s`);
  }
}
