import assert from "node:assert/strict";
import fc from "fast-check";
import { type Cuts, chunksOf, cuts, mutated } from "./mutation.ts";
import { quoted, Watchdog } from "./watchdog.ts";

/** A parser that faces a network, and what must hold of it whatever it is given. */
export interface FuzzTarget {
  readonly name: string;
  /** Real inputs, which are mutated. */
  readonly captures: readonly Buffer[];
  /** Inputs that are made anew, which come as often as mutated ones. Absent: none. */
  readonly generated?: fc.Arbitrary<Buffer>;
  /** What has to stand when the first input comes, and could not outlast the fuzzing of other targets, which never waits. */
  prepare?(): Promise<void>;
  /** Throws when something does not hold. @param chunks the input as a network might cut it */
  check(input: Buffer, chunks: readonly Buffer[]): void | Promise<void>;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly ms: number;
  /** Of a failure that was told, to see it again. */
  readonly path?: string | undefined;
  /** Time that one input may take, in milliseconds. Default `INPUT_MS_MAX`. */
  readonly inputMsMax?: number;
  /** Time for which one input may hold the process, in milliseconds. Default `HELD_MS_MAX`. */
  readonly heldMsMax?: number;
}

/** Generous, since machines are slow: what is looked for never ends. The process is held only by what no timer ends. */
const INPUT_MS_MAX = 15_000;
const HELD_MS_MAX = 25_000;
/** CPU that one input may cost, in milliseconds: more is a denial of service. */
const CPU_MS_MAX = 1000;
/** What a target may hold when it is done, in bytes: caches are bounded. */
const HEAP_GROWTH_MAX = 64 * 2 ** 20;

let watchdog: Watchdog | null = null;

/**
 * Fuzzes a target for a time; answers how many inputs it was given. The same seed gives the same inputs.
 *
 * @throws an error with the smallest input that was found, and the seed and path to replay it
 */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<number> {
  const { seed, ms, path, inputMsMax = INPUT_MS_MAX, heldMsMax = HELD_MS_MAX } = options;
  await target.prepare?.();
  watchdog ??= new Watchdog();
  const watch = watchdog;
  const before = heapUsed();
  const endMs = performance.now() + ms;
  let cases = 0;
  /** The input that is under way, in words. */
  let current: (() => string) | null = null;
  let isShrinking = false;
  const inputs = mutated(target.captures);
  const all = target.generated === undefined ? inputs : fc.oneof(inputs, target.generated);
  const property = fc.asyncProperty(all, cuts, async (input, at) => {
    // Not by fast-check's own limit, which lets an input that never ends pass for one that was interrupted.
    if (performance.now() >= endMs) throw new fc.PreconditionFailure(true);
    isShrinking ||= current !== null;
    const place = path ?? (isShrinking ? null : `${cases}`);
    const text = `${replayOf(target, seed, place)}, ${cutsOf(at)}`;
    const own = () => `${text}: ${textOf(input, at)}`;
    cases++;
    current = own;
    using _watched = watch.begin(text, input, heldMsMax);
    const started = process.cpuUsage();
    await target.check(input, chunksOf(input, at));
    const { user, system } = process.cpuUsage(started);
    assert.ok(user + system < CPU_MS_MAX * 1000, `it took ${(user + system) / 1000} ms of CPU`);
    // Left as it is by one that fails or never ends: whatever comes then is shrinking.
    if (current === own) current = null;
  });
  const tellCurrent = (): void => void (current && process.stderr.write(`${current()}\n`));
  process.on("uncaughtExceptionMonitor", tellCurrent);
  try {
    const details = await fc.check(property, {
      seed,
      ...(path === undefined ? {} : { path }),
      numRuns: path === undefined ? RUNS_MAX : 1,
      timeout: inputMsMax,
      markInterruptAsFailure: false,
    });
    if (details.failed) {
      const [input, at] = details.counterexample ?? [Buffer.alloc(0), [] as const];
      throw new Error(
        `${replayOf(target, details.seed, details.counterexamplePath)}\ninput, ${cutsOf(at)}: ${textOf(input, at)}`,
        { cause: details.errorInstance },
      );
    }
  } finally {
    watch.rest();
    process.removeListener("uncaughtExceptionMonitor", tellCurrent);
  }
  const growth = heapUsed() - before;
  assert.ok(growth < HEAP_GROWTH_MAX, `${target.name}: ${growth} bytes are still held after ${cases} inputs`);
  return cases;
}

const RUNS_MAX = 2 ** 30;

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** @param path null: the input is one of those that come while a failure is made smaller, which the seed alone leads to */
function replayOf({ name }: FuzzTarget, seed: number, path: string | null): string {
  const place = path === null ? "" : ` --path ${path}`;
  return `${name}: replay with npm run fuzz -- --target ${name} --seed ${seed}${place}`;
}

function cutsOf(at: Cuts): string {
  return at === "each" ? "byte by byte" : "in chunks";
}

function textOf(input: Buffer, at: Cuts): string {
  const shown = at === "each" ? [input] : chunksOf(input, at);
  return shown.map(quoted).join(" + ");
}
