/** What one subscriber has seen of its topic, whose events are numbered from 1: each should come once, in order. */
export class Ledger {
  /** The highest number; 0 before the first event. */
  last = 0;
  events = 0;
  lost = 0;
  /** Those of the lost before whose absence no gap was told. */
  untold = 0;
  doubled = 0;
  disordered = 0;
  gaps = 0;
  #seen = new Uint8Array(64);
  #told = false;
  /** The next event may have any number: what was before it was not subscribed to. */
  #isFresh = true;

  take(number: number): void {
    this.events++;
    if (this.#seen[number] === 1) {
      this.doubled++;
      return;
    }
    this.#mark(number);
    if (number < this.last) {
      this.disordered++;
      return;
    }
    if (!this.#isFresh) {
      const missing = number - this.last - 1;
      this.lost += missing;
      if (!this.#told) this.untold += missing;
    }
    this.#isFresh = false;
    this.#told = false;
    this.last = number;
  }

  /** The subscriber is told that events may be missing before the next one. */
  tell(): void {
    this.gaps++;
    this.#told = true;
  }

  /** The subscriber comes back without a cursor. */
  restart(): void {
    this.#isFresh = true;
  }

  #mark(number: number): void {
    if (number >= this.#seen.length) {
      const grown = new Uint8Array(2 * number);
      grown.set(this.#seen);
      this.#seen = grown;
    }
    this.#seen[number] = 1;
  }
}
