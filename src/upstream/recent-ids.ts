/** Which events were published last, by key and event id, within a bound. Noting one costs two writes. */
export class RecentIds {
  readonly #keys: string[];
  readonly #ids: string[];
  readonly #size: number;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
    this.#keys = new Array<string>(size).fill("");
    this.#ids = new Array<string>(size).fill("");
  }

  note(key: string, id: string): void {
    this.#keys[this.#next] = key;
    this.#ids[this.#next] = id;
    this.#next = this.#next + 1 === this.#size ? 0 : this.#next + 1;
  }

  /** The ids of each key, in no order; an event with several items of a key is there once for each. */
  of(keys: ReadonlySet<string>): Map<string, string[]> {
    const found = new Map<string, string[]>();
    for (const [at, key] of this.#keys.entries()) {
      const id = this.#ids[at] as string;
      if (id === "" || !keys.has(key)) continue;
      const ids = found.get(key);
      if (ids === undefined) found.set(key, [id]);
      else ids.push(id);
    }
    return found;
  }
}
