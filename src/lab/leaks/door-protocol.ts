/** What a gateway with the lab's door is asked. Paths of snapshots are the asker's. */
export type DoorQuestion =
  /** `turn`: which class's objects are counted, each in its turn; null: none. */
  | { readonly do: "sample"; readonly turn: number | null }
  /** Collects garbage and writes a heap snapshot. Nothing else happens in the process meanwhile. */
  | { readonly do: "snapshot"; readonly file: string };

/** What the process says of itself, after a forced collection. Sizes in bytes. */
export interface InsideSample {
  readonly heapUsed: number;
  /** Outside the JavaScript heap and known to it, buffers included. */
  readonly external: number;
  readonly arrayBuffers: number;
  /** Of V8's own, outside its heap. */
  readonly malloced: number;
  /** What keeps the event loop alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
  /** The gateway's books. */
  readonly books: Readonly<Record<string, number>>;
  /** Connections opened and closed since its start. */
  readonly opened: number;
  readonly closed: number;
  /** Found by the sweep since its start. */
  readonly reclaimed: number;
  /** Live objects of the class whose turn it was. */
  readonly classes: Readonly<Record<string, number>>;
}

/** Said once, unasked, with the id 0: where the gateway listens. */
export interface DoorGreeting {
  readonly url: string;
}
