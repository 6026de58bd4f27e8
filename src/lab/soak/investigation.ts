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
/** Between the two snapshots: so many connections, or the time. */
const CONNECTIONS_BETWEEN = 5000;
const BETWEEN_MS_MAX = 40_000;
/** After a pair, before the next is thought of. */
const REST_MS = 10 * 60_000;

/** Takes two heap snapshots when something is suspected to leak. They are read when the run is over. */
export class Investigation {
  readonly pairs: SnapshotPair[] = [];
  readonly #station: Station;
  readonly #dir: string;
  readonly #warmUpMs: number;
  readonly #note: (what: Note["what"], text: string) => void;
  #life: Sample[] = [];
  #open: { life: number; atMs: number; opened: number; file: string; suspected: string[] } | null = null;
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

  /** Takes in a sample, and does what it asks for. */
  async consider(sample: Sample): Promise<void> {
    if (this.#life[0]?.life !== sample.life) this.#life = [];
    this.#life.push(sample);
    if (this.#open !== null) await this.#close(sample);
    else if (this.#life.length % JUDGE_EVERY === 0 && sample.atMs >= this.#restUntilMs)
      await this.#judge(sample);
  }

  /** No sample comes after this one. */
  async finish(sample: Sample): Promise<void> {
    await this.#close(sample, true);
  }

  async #judge(sample: Sample): Promise<void> {
    if (this.pairs.length >= PAIRS_MAX) return;
    const found = suspicions(warmed(this.#life, this.#warmUpMs).map(lookOf));
    if (found.length === 0) return;
    const suspected = found.map(
      ({ what, slope, slopePerConnection }) =>
        `${what}: ${slope.slope.toPrecision(3)} a second (95 %: ${slope.low.toPrecision(3)} to ${slope.high.toPrecision(3)}), ${slopePerConnection.toPrecision(3)} a connection`,
    );
    this.#note("suspicion", suspected.join("; "));
    const file = join(this.#dir, `suspicion-${this.pairs.length + 1}-before.heapsnapshot`);
    await this.#station.gateway?.snapshot(file);
    this.#open = { life: sample.life, atMs: sample.atMs, opened: sample.inside.opened, file, suspected };
  }

  async #close(sample: Sample, isLast = false): Promise<void> {
    const open = this.#open;
    if (open === null) return;
    const connections = sample.inside.opened - open.opened;
    if (sample.life !== open.life) {
      rmSync(open.file, { force: true });
      this.#open = null;
      return;
    }
    const isFar = connections >= CONNECTIONS_BETWEEN || sample.atMs - open.atMs >= BETWEEN_MS_MAX;
    if (!isFar && !isLast) return;
    const after = open.file.replace("-before.", "-after.");
    await this.#station.gateway?.snapshot(after);
    this.#note(
      "snapshots",
      `${connections} connections lie between the two of ${open.suspected.length} suspicions`,
    );
    const { atMs, file, suspected } = open;
    this.pairs.push({ atMs, before: file, after, connections, suspected });
    this.#open = null;
    this.#restUntilMs = sample.atMs + REST_MS;
  }
}
