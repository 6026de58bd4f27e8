/** Shares are of at least so much, where the bound allows it: to squeeze what is small frees nothing. */
const SQUEEZED_FROM_BYTES_MIN = 16 * 1024 * 1024;

/**
 * How many bytes a store may hold: its bound, or, while memory is short, a share of what it held when it became so. A
 * share of the bound would do nothing for memory where the bound is far from reached.
 */
export class SqueezedBound {
  #share = 1;
  #fromBytes = 0;

  /** @param share 1: the bound itself again */
  squeeze(share: number, heldBytes: number): void {
    if (this.#share === 1) this.#fromBytes = Math.max(heldBytes, SQUEEZED_FROM_BYTES_MIN);
    this.#share = share;
  }

  /** @param bytesMax the bound in quiet times */
  of(bytesMax: number): number {
    return this.#share === 1 ? bytesMax : this.#share * Math.min(this.#fromBytes, bytesMax);
  }
}
