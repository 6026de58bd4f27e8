/**
 * What one client has received of events that are numbered from 1, of which it must get each once and in order, unless
 * it was told that some are missing.
 */
export class Receipt {
  /** The highest number; 0 before the first event. */
  last = 0;
  events = 0;
  /** Numbers that came again, or after a higher one. */
  repeated = 0;
  /** Numbers left out without a word. */
  lost = 0;
  /** Numbers left out, which the client was told. */
  forgone = 0;
  #isTold = false;

  take(number: number): void {
    this.events++;
    if (number <= this.last) {
      this.repeated++;
      return;
    }
    this.#leaveOut(number - this.last - 1);
    this.#isTold = false;
    this.last = number;
  }

  /**
   * It was told that it can't have what it missed.
   *
   * @param next the number from which on it has to get everything; null: that of the next event that comes
   */
  tell(next: number | null): void {
    this.#isTold = true;
    if (next === null || next <= this.last + 1) return;
    this.#leaveOut(next - this.last - 1);
    this.last = next - 1;
    this.#isTold = false;
  }

  #leaveOut(count: number): void {
    if (this.#isTold) this.forgone += count;
    else this.lost += count;
  }
}
