import { writeSync } from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";

/**
 * Watches, from a thread of its own, the inputs that this one is held by: an endless loop lets no timer fire, so nobody
 * else could tell which input it was. The thread prints it and ends the process, by SIGKILL, since nothing less ends a
 * process from a thread while the main one is held.
 */
export class Watchdog {
  readonly #shared = new SharedArrayBuffer(HEAD_BYTES + TEXT_BYTES_MAX + INPUT_BYTES_MAX);
  readonly #head = new Int32Array(this.#shared, 0, HEAD_BYTES / 4);
  readonly #text = new Uint8Array(this.#shared, HEAD_BYTES, TEXT_BYTES_MAX);
  readonly #input = new Uint8Array(this.#shared, HEAD_BYTES + TEXT_BYTES_MAX);
  #turns = 0;

  constructor() {
    // It needs neither the options nor the environment of this thread, and does not keep the process.
    new Worker(new URL(import.meta.url), { workerData: { fuzzed: this.#shared }, execArgv: [] }).unref();
  }

  /**
   * An input begins. Disposing of what it answers says that it has ended.
   *
   * @param text what to print before it
   * @param heldMsMax how long it may take, in milliseconds
   */
  begin(text: string, input: Buffer, heldMsMax: number): Disposable {
    const turn = ++this.#turns;
    const { written } = new TextEncoder().encodeInto(text, this.#text);
    const kept = input.subarray(0, INPUT_BYTES_MAX);
    this.#input.set(kept);
    this.#head[At.textBytes] = written;
    this.#head[At.inputBytes] = kept.length;
    this.#head[At.heldMsMax] = heldMsMax;
    Atomics.store(this.#head, At.turn, turn);
    // One that ends late must not end another one's watch.
    return { [Symbol.dispose]: () => void Atomics.compareExchange(this.#head, At.turn, turn, 0) };
  }

  /** Nothing is watched, until the next input begins. */
  rest(): void {
    Atomics.store(this.#head, At.turn, 0);
  }
}

/** An input in words that can be pasted. */
export function quoted(input: Uint8Array): string {
  return JSON.stringify(Buffer.from(input).toString("latin1"));
}

/** Places in the head, of four bytes each. */
const At = { turn: 0, textBytes: 1, inputBytes: 2, heldMsMax: 3 } as const;
const HEAD_BYTES = 16;
const TEXT_BYTES_MAX = 4096;
const INPUT_BYTES_MAX = 128 * 1024;
const LOOK_MS = 100;

if (!isMainThread && workerData?.fuzzed instanceof SharedArrayBuffer) watch(workerData.fuzzed);

function watch(shared: SharedArrayBuffer): void {
  const head = new Int32Array(shared, 0, HEAD_BYTES / 4);
  let seen = 0;
  let looks = 0;
  setInterval(() => {
    const turn = Atomics.load(head, At.turn);
    // Looks are counted, and no clock is read: a machine that slept for a while has held nobody.
    looks = turn === seen ? looks + 1 : 0;
    seen = turn;
    if (turn === 0 || looks * LOOK_MS < (head[At.heldMsMax] as number)) return;
    const text = Buffer.from(shared, HEAD_BYTES, head[At.textBytes]);
    const input = Buffer.from(shared, HEAD_BYTES + TEXT_BYTES_MAX, head[At.inputBytes]);
    writeAll(
      `${text}\nit holds the process for more than ${head[At.heldMsMax]} ms; input: ${quoted(input)}\n`,
    );
    process.kill(process.pid, "SIGKILL");
  }, LOOK_MS);
}

/** To standard error, which may be a pipe that is full for a moment. */
function writeAll(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0, tries = 0; at < bytes.length && tries < 1_000_000; tries++) {
    try {
      at += writeSync(2, bytes, at);
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "EAGAIN") return;
    }
  }
}
