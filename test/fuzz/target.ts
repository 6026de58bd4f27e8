import assert from "node:assert/strict";
import fc from "fast-check";
import { type Cuts, chunksOf, cuts, mutated } from "./mutation.ts";

/** A parser that faces a network, and what must hold of it whatever it is given. */
export interface FuzzTarget {
  readonly name: string;
  /** Real inputs, which are mutated. */
  readonly captures: readonly Buffer[];
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
}

/** CPU that one input may cost, in milliseconds: more is a denial of service. */
const CPU_MS_MAX = 1000;
/** What a target may hold when it is done, in bytes: caches are bounded. */
const HEAP_GROWTH_MAX = 64 * 2 ** 20;

/**
 * Fuzzes a target for a time; answers how many inputs it was given. The same seed gives the same inputs.
 *
 * @throws an error with the smallest input that was found, and the seed and path to replay it
 */
export async function fuzz(target: FuzzTarget, { seed, ms, path }: FuzzOptions): Promise<number> {
  await target.prepare?.();
  let cases = 0;
  const before = heapUsed();
  const property = fc.asyncProperty(mutated(target.captures), cuts, async (input, at) => {
    cases++;
    const started = process.cpuUsage();
    await target.check(input, chunksOf(input, at));
    const { user, system } = process.cpuUsage(started);
    assert.ok(user + system < CPU_MS_MAX * 1000, `it took ${(user + system) / 1000} ms of CPU`);
  });
  const details = await fc.check(property, {
    seed,
    ...(path === undefined ? {} : { path }),
    numRuns: path === undefined ? RUNS_MAX : 1,
    interruptAfterTimeLimit: ms,
    markInterruptAsFailure: false,
  });
  if (details.failed) {
    const [input, at] = details.counterexample ?? [Buffer.alloc(0), [] as const];
    throw new Error(
      `${target.name}: replay with npm run fuzz -- --target ${target.name} --seed ${details.seed} --path ${details.counterexamplePath}\n` +
        `input, ${at === "each" ? "byte by byte" : "in chunks"}: ${textOf(input, at)}`,
      { cause: details.errorInstance },
    );
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

function textOf(input: Buffer, at: Cuts): string {
  const shown = at === "each" ? [input] : chunksOf(input, at);
  return shown.map((chunk) => JSON.stringify(chunk.toString("latin1"))).join(" + ");
}
