import { type MarkFinder, markFinder } from "./mark-finder.ts";
import type { MarkedEnd, MarkedFault } from "./script.ts";

/** What to do with one direction of a connection, in this order. */
export type FlowAct =
  | { readonly do: "forward"; readonly bytes: Uint8Array }
  /** Nothing more is to be forwarded after it. */
  | { readonly do: MarkedEnd }
  /** The source has ended in an orderly way. */
  | { readonly do: "end" }
  /** Bytes after it are spoilt; said once for each fault, for the books. */
  | { readonly do: "corrupt" };

interface Pending {
  readonly fault: MarkedFault;
  readonly finder: MarkFinder;
}

/** Plays the marked faults of one direction: bytes in, what to do with them out. Pure. */
export class Flow {
  readonly #pending: Pending[] = [];
  #corrupting: { left: number; readonly mask: number } | null = null;
  #ended = false;
  #isFresh = true;

  constructor(faults: readonly MarkedFault[]) {
    for (const fault of faults) this.add(fault);
  }

  /** Nothing gets through any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Adds a fault whose mark counts from here. Push an empty chunk to have done what is due at once. */
  add(fault: MarkedFault): void {
    this.#pending.push({ fault, finder: markFinder(fault.at ?? { bytes: 0 }, !this.#isFresh) });
  }

  push(chunk: Uint8Array): FlowAct[] {
    if (this.#ended) return [];
    if (chunk.length > 0) this.#isFresh = false;
    const acts: FlowAct[] = [];
    let from = 0;
    for (const { at, fault } of this.#due(chunk)) {
      this.#forward(chunk.subarray(from, at), acts);
      from = at;
      acts.push({ do: fault.do });
      if (fault.do === "corrupt") {
        this.#corrupting = { left: fault.bytes ?? 1, mask: fault.mask ?? 0xff };
      } else {
        this.#ended = true;
        return acts;
      }
    }
    this.#forward(chunk.subarray(from), acts);
    return acts;
  }

  /** Takes out the faults whose mark lies in the chunk, in order. */
  #due(chunk: Uint8Array): { at: number; fault: MarkedFault }[] {
    const due: { at: number; fault: MarkedFault }[] = [];
    for (const pending of [...this.#pending]) {
      const at = pending.finder.find(chunk);
      if (at === null) continue;
      this.#pending.splice(this.#pending.indexOf(pending), 1);
      due.push({ at, fault: pending.fault });
    }
    return due.sort((a, b) => a.at - b.at);
  }

  #forward(bytes: Uint8Array, acts: FlowAct[]): void {
    if (bytes.length === 0) return;
    acts.push({ do: "forward", bytes: this.#corrupting === null ? bytes : this.#spoil(bytes) });
  }

  #spoil(bytes: Uint8Array): Uint8Array {
    const corrupting = this.#corrupting;
    if (corrupting === null) return bytes;
    const spoilt = Uint8Array.from(bytes);
    for (let at = 0; at < spoilt.length && corrupting.left > 0; at++, corrupting.left--) {
      spoilt[at] = (spoilt[at] as number) ^ corrupting.mask;
    }
    if (corrupting.left === 0) this.#corrupting = null;
    return spoilt;
  }
}
