import { within } from "./step.ts";

/** Sequence numbers of one topic's events, as one connection saw them come. */
export class Sightings {
  /** In order of arrival. */
  readonly sequences: number[] = [];
  /** True once an event came whose id was its publisher's own, so that its sequence number is not known. */
  hasForeignIds = false;
  /** The highest so far; 0 before the first. */
  highest = 0;
  #end: Error | null = null;
  #wake: (() => void) | null = null;

  /** @param sequence null: not known */
  add(sequence: number | null): void {
    if (sequence === null) this.hasForeignIds = true;
    else {
      this.sequences.push(sequence);
      this.highest = Math.max(this.highest, sequence);
    }
    this.#wake?.();
  }

  /** Nothing more will come. Waiting fails with it from then on. */
  end(why: Error): void {
    this.#end ??= why;
    this.#wake?.();
  }

  get any(): boolean {
    return this.sequences.length > 0 || this.hasForeignIds;
  }

  /** Waits until `wanted` holds; one waiter at a time. Rejects when the connection ends or the signal aborts first. */
  async until(wanted: (sightings: Sightings) => boolean, signal: AbortSignal): Promise<void> {
    while (!wanted(this)) {
      if (this.#end !== null) throw this.#end;
      await within(
        signal,
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      );
    }
  }
}

/** What a resumed connection got, compared with a connection that was never cut. */
export interface Comparison {
  /** Events that came between the two cursors, by the witness. */
  readonly expected: number;
  readonly missing: readonly number[];
  readonly doubled: readonly number[];
  readonly inOrder: boolean;
}

/**
 * Compares events after `cursor` up to `target`. An event at or before the cursor counts as doubled: it had been seen.
 * Pure.
 */
export function compare(
  witness: readonly number[],
  resumed: readonly number[],
  cursor: number,
  target: number,
): Comparison {
  const expected = new Set(witness.filter((sequence) => sequence > cursor && sequence <= target));
  const seen = new Set<number>();
  const doubled: number[] = [];
  for (const sequence of resumed) {
    if (sequence <= cursor || seen.has(sequence)) doubled.push(sequence);
    seen.add(sequence);
  }
  return {
    expected: expected.size,
    missing: [...expected].filter((sequence) => !seen.has(sequence)),
    doubled,
    inOrder: resumed.every((sequence, index) => index === 0 || sequence >= (resumed[index - 1] as number)),
  };
}
