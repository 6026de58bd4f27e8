import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { growthText } from "../leaks/suspicion.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { growthIn } from "./growth.ts";
import { type Line, type Note, type Sample, warmed } from "./sample.ts";

/** Two snapshots of one life, taken because something seemed to grow. */
export interface SnapshotPair {
  readonly atMs: number;
  /** Of the gateway, of which alone the pair says anything. */
  readonly life: number;
  readonly before: string;
  readonly after: string;
  /** Connections opened between the two. */
  readonly connections: number;
  readonly suspected: readonly string[];
}

/** What is looked into. */
export interface Investigated {
  readonly gateway: Pick<GatewayProcess, "sample" | "snapshot"> | null;
  readonly lives: number;
  readonly lifeMs: number;
}

/** Series are judged at each of so many samples. */
const JUDGE_EVERY = 4;
const PAIRS_MAX = 3;
/** Before the first snapshot: what remembers the last thousand connections remembers them. */
const CONNECTIONS_BEFORE = 2000;
/** Fewer connections between two snapshots would not tell growth from chance. */
const CONNECTIONS_BETWEEN = 2000;
const ROUTINE = "nothing: a run as short as this has two snapshots compared in any case";
/** After a pair, before the next is thought of, in milliseconds. */
const REST_MS = 10 * 60_000;

/**
 * Takes two heap snapshots when something is suspected to leak: in calm, when nobody but the witnesses is there, so that
 * what is alive by right is the same. They are read when the run is over.
 *
 * A run that is too short to have its memory judged has two in any case, past its end and without faults between them: a
 * megabyte leaked in a minute is less than the ups and downs of the log and the code.
 *
 *     nothing suspected ──> suspected ──calm──> first taken ──calm, same life──> second taken ──> nothing suspected
 */
export class Investigation {
  /** Those of earlier sittings first. */
  readonly pairs: SnapshotPair[];
  readonly #station: Investigated;
  readonly #dir: string;
  readonly #warmUpMs: number;
  /** Whether the one pair is taken past the run's end, and whatever is suspected. */
  readonly #isShort: boolean;
  readonly #note: (what: Note["what"], text: string) => void;
  #life: Sample[] = [];
  #suspected: string[] = [];
  #first: { readonly life: number; readonly opened: number; readonly file: string } | null = null;
  #restUntilMs = 0;
  #isOver = false;

  /** @param lines of the run's journal, by earlier sittings */
  constructor(
    station: Investigated,
    dir: string,
    lines: readonly Line[],
    { warmUpMs, isShort }: { readonly warmUpMs: number; readonly isShort: boolean },
    note: (what: Note["what"], text: string) => void,
  ) {
    this.#station = station;
    this.#dir = dir;
    this.#warmUpMs = warmUpMs;
    this.#isShort = isShort;
    this.#note = note;
    this.pairs = pairsOf(lines, dir);
    const last = this.pairs.at(-1);
    if (last !== undefined) this.#restUntilMs = last.atMs + REST_MS;
  }

  /** Takes in a sample. */
  consider(sample: Sample): void {
    if (this.#life[0]?.life !== sample.life) {
      this.#life = [];
      this.#suspected = [];
      this.#forgetFirst();
    }
    this.#life.push(sample);
    if (this.#life.length % JUDGE_EVERY === 0) this.#judge(sample.atMs);
  }

  /** The run's time is over. */
  conclude(atMs: number): void {
    this.#isOver = true;
    this.#judge(atMs);
  }

  #judge(atMs: number): void {
    const isAwake = this.#suspected.length === 0 && atMs >= this.#restUntilMs;
    if (!isAwake || this.pairs.length >= PAIRS_MAX) return;
    const found = growthIn(warmed(this.#life, this.#warmUpMs));
    if (found.length === 0) return;
    this.#suspected = found.map((one) => {
      const { slope, low, high } = one.slope;
      return `${one.what}: ${growthText(one, slope)} (95 %: ${growthText(one, low)} to ${growthText(one, high)})`;
    });
    this.#note("suspicion", this.#suspected.join("; "));
  }

  /** What has to come before both snapshots are there; null: none are wanted. */
  get lack(): "calm" | "connections" | null {
    if (!this.#isWanted) return null;
    return (this.#life.at(-1)?.inside.opened ?? 0) < this.#openedLeast ? "connections" : "calm";
  }

  get #isWanted(): boolean {
    return this.#isShort ? this.#isOver && this.pairs.length === 0 : this.#suspected.length > 0;
  }

  /** How many connections of the life have to have come before the next snapshot. */
  get #openedLeast(): number {
    return this.#first === null ? CONNECTIONS_BEFORE : this.#first.opened + CONNECTIONS_BETWEEN;
  }

  /** It is calm, and all visitors are gone. */
  async lookInCalm(atMs: number): Promise<void> {
    const { gateway, lives, lifeMs } = this.#station;
    if (gateway === null) return;
    if (this.#first !== null && this.#first.life !== lives) this.#forgetFirst();
    if (!this.#isWanted || lifeMs < this.#warmUpMs) return;
    const { opened } = await gateway.sample(null);
    if (opened < this.#openedLeast) return;
    if (this.#first === null) {
      const file = join(this.#dir, `suspicion-${this.pairs.length + 1}-before.heapsnapshot`);
      await gateway.snapshot(file);
      this.#first = { life: lives, opened, file };
      this.#note("snapshots", "the first was taken");
      return;
    }
    const { file, opened: openedBefore } = this.#first;
    const connections = opened - openedBefore;
    const after = file.replace("-before.", "-after.");
    await gateway.snapshot(after);
    this.#note("snapshots", `the second was taken, ${connections} connections after the first`);
    const suspected = this.#suspected.length > 0 ? this.#suspected : [ROUTINE];
    const pair: SnapshotPair = { atMs, life: lives, before: file, after, connections, suspected };
    this.pairs.push(pair);
    this.#note("pair", JSON.stringify(pair));
    this.#first = null;
    this.#suspected = [];
    this.#restUntilMs = atMs + REST_MS;
  }

  #forgetFirst(): void {
    if (this.#first !== null) rmSync(this.#first.file, { force: true });
    this.#first = null;
  }
}

/** The directory may have been moved since. */
function pairsOf(lines: readonly Line[], dir: string): SnapshotPair[] {
  return lines.flatMap((line): SnapshotPair[] => {
    if (line.kind !== "note" || line.what !== "pair") return [];
    const pair = JSON.parse(line.text) as SnapshotPair;
    const [before, after] = [join(dir, basename(pair.before)), join(dir, basename(pair.after))];
    return [{ ...pair, before, after }];
  });
}
