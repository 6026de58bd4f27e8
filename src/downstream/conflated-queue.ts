import type { HubEvent } from "#hub/hub.ts";

/** Bytes that a state's frame has beside its data, roughly. */
const FRAME_OVERHEAD_BYTES = 128;

interface Waiting {
  /** Bytes to write as they are; null: they are made of the state when it is written. */
  readonly frame: Buffer | null;
  readonly state: HubEvent | null;
  readonly bytes: number;
}

/**
 * What waits for a client that is behind: frames that must all be sent, and of each topic with state the newest state
 * only. A newer state goes to the end, so the order of sequence numbers is kept: whichever event a cut client got last,
 * all that it still missed comes after it, and a resume from there misses nothing.
 */
export class ConflatedQueue {
  readonly #waiting = new Map<string | number, Waiting>();
  #serial = 0;
  #bytes = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /** Bytes that wait, frames that are not made yet as they will be, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Queues a frame that must be sent. */
  push(frame: Buffer): void {
    this.#waiting.set(++this.#serial, { frame, state: null, bytes: frame.length });
    this.#bytes += frame.length;
  }

  /** Queues a topic's state in place of the one that waits. True: there was one, which will never be sent. */
  put(topic: string, state: HubEvent): boolean {
    const older = this.#waiting.get(topic);
    if (older !== undefined) {
      this.#waiting.delete(topic);
      this.#bytes -= older.bytes;
    }
    const bytes = state.data.length + FRAME_OVERHEAD_BYTES;
    this.#waiting.set(topic, { frame: null, state, bytes });
    this.#bytes += bytes;
    return older !== undefined;
  }

  /** Takes what is next; null: nothing waits. @param frameOf makes a state's frame */
  shift(frameOf: (state: HubEvent) => Buffer): Buffer | null {
    for (const [key, { frame, state, bytes }] of this.#waiting) {
      this.#waiting.delete(key);
      this.#bytes -= bytes;
      return frame ?? frameOf(state as HubEvent);
    }
    return null;
  }
}
