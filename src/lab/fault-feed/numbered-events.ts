export interface NumberedEventsOptions {
  /** Default 200. */
  readonly keys?: number;
  /** Whether events carry their number as id. Default true. */
  readonly ids?: boolean;
  /** Data is filled up to about so many bytes. Default 0: as short as it comes. */
  readonly dataBytes?: number;
}

/** The data of a numbered event. */
export interface NumberedData {
  readonly symbol: string;
  /** The event's number, from 1, over all keys. */
  readonly n: number;
  /** Its number among those of its key, from 1. */
  readonly seq: number;
}

/** Events with numbers 1, 2, 3, …, dealt out to the keys in turn. Each is made when asked for: history costs nothing. */
export class NumberedEvents {
  readonly keys: readonly string[];
  readonly #ids: boolean;
  readonly #filler: string;

  constructor(options: NumberedEventsOptions = {}) {
    const { keys = 200, ids = true, dataBytes = 0 } = options;
    this.keys = Array.from({ length: keys }, (_, index) => `K${String(index).padStart(3, "0")}`);
    this.#ids = ids;
    this.#filler = "x".repeat(Math.max(0, dataBytes - SHORTEST_BYTES));
  }

  keyOf(n: number): string {
    return this.keys[(n - 1) % this.keys.length] as string;
  }

  /** The event as it stands in the stream. Its data has characters of more than one byte. */
  textOf(n: number): string {
    const symbol = this.keyOf(n);
    const seq = Math.floor((n - 1) / this.keys.length) + 1;
    const id = this.#ids ? `id: ${n}\n` : "";
    return `${id}data: {"symbol":"${symbol}","n":${n},"seq":${seq},"unit":"\u20ac/\u5343${this.#filler}"}\n\n`;
  }
}

const SHORTEST_BYTES = 60;
