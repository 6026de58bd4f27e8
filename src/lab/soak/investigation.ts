import { rmSync } from "node:fs";
import { join } from "node:path";
import { suspicions } from "../leaks/suspicion.ts";
import { lookOf, type Note, type Sample, warmed } from "./sample.ts";
import type { Station } from "./station.ts";

/** Two snapshots of one life, taken because something seemed to grow. */
export interface SnapshotPair {
  readonly atMs: number;
  readonly before: string;
  readonly after: string;
  /** Connections opened between the two. */
  readonly connections: number;
  readonly suspected: readonly string[];
}

/** Series are judged at each of so many samples. */
const JUDGE_EVERY = 4;
const PAIRS_MAX = 3;
/** Fewer connections between two snapshots would not tell growth from chance. */
const CONNECTIONS_BETWEEN = 1000;
/** After a pair, before the next is thought of, in milliseconds. */
const REST_MS = 10 * 60_000;

/**
 * Takes two heap snapshots when something is suspected to leak: in calm, when nobody but the witnesses is there, so that
 * what is alive by right is the same. They are read when the run is over.
 *
 *     nothing suspected ──> suspected ──calm──> first taken ──calm, same life──> second taken ──> nothing suspected
 */
export class Investigation {
  readonly pairs: SnapshotPair[] = [];
  readonly #station: Station;
  readonly #dir: string;
  readonly #warmUpMs: number;
  readonly #note: (what: Note["what"], text: string) => void;
  #life: Sample[] = [];
  #suspected: string[] = [];
  #first: { readonly life: number; readonly opened: number; readonly file: string } | null = null;
  #restUntilMs = 0;

  constructor(
    station: Station,
    dir: string,
    warmUpMs: number,
    note: (what: Note["what"], text: string) => void,
  ) {
    this.#station = station;
    this.#dir = dir;
    this.#warmUpMs = warmUpMs;
    this.#note = note;
  }

  /** Takes in a sample. */
  consider(sample: Sample): void {
    if (this.#life[0]?.life !== sample.life) {
      this.#life = [];
      this.#suspected = [];
      this.#forgetFirst();
    }
    this.#life.push(sample);
    const isAwake = this.#suspected.length === 0 && sample.atMs >= this.#restUntilMs;
    if (!isAwake || this.#life.length % JUDGE_EVERY !== 0 || this.pairs.length >= PAIRS_MAX) return;
    const found = suspicions(warmed(this.#life, this.#warmUpMs).map(lookOf));
    if (found.length === 0) return;
    this.#suspected = found.map(
      ({ what, slope, slopePerConnection }) =>
        `${what}: ${slope.slope.toPrecision(3)} a second (95 %: ${slope.low.toPrecision(3)} to ${slope.high.toPrecision(3)}), ${slopePerConnection.toPrecision(3)} a connection`,
    );
    this.#note("suspicion", this.#suspected.join("; "));
  }

  /** It is calm, and all visitors are gone. */
  async lookInCalm(atMs: number): Promise<void> {
    const { gateway, lives } = this.#station;
    if (this.#suspected.length === 0 || gateway === null) return;
    const { opened } = await gateway.sample(null);
    if (this.#first === null) {
      const file = join(this.#dir, `suspicion-${this.pairs.length + 1}-before.heapsnapshot`);
      await gateway.snapshot(file);
      this.#first = { life: lives, opened, file };
      this.#note("snapshots", "the first was taken");
      return;
    }
    const { file, life, opened: openedBefore } = this.#first;
    if (life !== lives) {
      this.#forgetFirst();
      return;
    }
    const connections = opened - openedBefore;
    if (connections < CONNECTIONS_BETWEEN) return;
    const after = file.replace("-before.", "-after.");
    await gateway.snapshot(after);
    this.#note("snapshots", `the second was taken, ${connections} connections after the first`);
    this.pairs.push({ atMs, before: file, after, connections, suspected: this.#suspected });
    this.#first = null;
    this.#suspected = [];
    this.#restUntilMs = atMs + REST_MS;
  }

  #forgetFirst(): void {
    if (this.#first !== null) rmSync(this.#first.file, { force: true });
    this.#first = null;
  }
}
