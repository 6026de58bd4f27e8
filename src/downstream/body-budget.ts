/** Before anybody says otherwise. */
const BYTES_MAX_DEFAULT = 16 * 1024 * 1024;

/**
 * The bytes of all request bodies that are under way. Each body has a bound of its own; together, thousands of senders
 * who stop half-way would still take more than the process may have.
 */
export class BodyBudget {
  bytesMax = BYTES_MAX_DEFAULT;
  #bytes = 0;

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is room for so many more; they are held then, until they are given back. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes;
  }
}
