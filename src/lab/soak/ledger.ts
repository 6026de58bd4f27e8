/** What was not as it was promised to a subscriber: numbers `from` to `to` of its topic. */
export interface Breach {
  readonly kind: "lost" | "repeated";
  readonly topic: string;
  readonly from: number;
  readonly to: number;
}

/**
 * What one subscriber has got of its topic, whose events are numbered from 1: each once and in order, or the subscriber
 * is told that some are missing. Pure, and of the same size however long it is kept.
 */
export class Ledger {
  readonly topic: string;
  /** The last number; 0 before the first event. */
  last = 0;
  events = 0;
  /** Times that it was told of missing events. */
  told = 0;
  /** Numbers that came again from another life of the gateway, which had been told. */
  crossed = 0;
  readonly #report: (breach: Breach) => void;
  #isFresh = true;
  #isTold = false;
  #isOtherLife = false;

  constructor(topic: string, report: (breach: Breach) => void) {
    this.topic = topic;
    this.#report = report;
  }

  /** The last thing it heard is that events may be missing. */
  get isTold(): boolean {
    return this.#isTold;
  }

  take(number: number): void {
    this.events++;
    const { last, topic } = this;
    if (!this.#isFresh) {
      if (number <= last) {
        if (this.#isOtherLife && this.#isTold) this.crossed++;
        else this.#report({ kind: "repeated", topic, from: number, to: last });
        // A feed that goes back in another life goes on from there.
        if (!this.#isOtherLife) return;
      } else if (number > last + 1 && !this.#isTold) {
        this.#report({ kind: "lost", topic, from: last + 1, to: number - 1 });
      }
    }
    this.last = number;
    this.#isFresh = false;
    this.#isTold = false;
    this.#isOtherLife = false;
  }

  /** The subscriber is told that events may be missing before the next one. */
  tell(): void {
    this.told++;
    this.#isTold = true;
  }

  /** Cursors are of another epoch from here on: the gateway was started anew. */
  enterOtherLife(): void {
    this.#isOtherLife = true;
  }
}
