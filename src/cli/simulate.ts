import { type Command, InvalidArgumentError, Option } from "commander";
import type { RunOutcome, RunSettings } from "#lab/simulation/simulation.ts";
import { ExitCode } from "./exit.ts";

interface Options {
  readonly seed: number;
  readonly days: number;
  readonly runs: number;
  readonly faults?: readonly number[];
  readonly clients?: number;
  readonly feeds?: number;
  readonly trace?: boolean;
  readonly shrink: boolean;
  readonly json?: boolean;
}

/** Adds `simulate`: months of faults in simulated time. Exit status 1 at the first broken promise. */
export function addSimulateCommand(program: Command): void {
  program
    .command("simulate")
    .description(
      "run the whole gateway through simulated days of faults, from a seed: same seed, same run; stops at the first broken promise and says how to run it again",
    )
    .addOption(new Option("--seed <n>", "where chance begins").default(1).argParser(whole(0, 2 ** 31)))
    .addOption(new Option("--days <d>", "length of a run, in simulated days").default(1).argParser(daysIn))
    .addOption(
      new Option("--runs <k>", "so many runs, with seeds one after another")
        .default(1)
        .argParser(whole(1, 1_000_000)),
    )
    .addOption(
      new Option("--faults <list>", "only these of the run's faults, by number from 0; or none").argParser(
        numbersIn,
      ),
    )
    .addOption(new Option("--clients <n>", "only the first so many clients").argParser(whole(0, 1000)))
    .addOption(new Option("--feeds <n>", "only the first so many feeds").argParser(whole(0, 1000)))
    .option("--trace", "write each thing that happens to standard error")
    .option("--no-shrink", "leave a run that fails as it is")
    .option("--json", "answer as JSON")
    .action(async (options: Options, command: Command) => {
      const fault = await faultOf(options);
      if (fault !== null) command.error(`error: ${fault}`);
      process.exitCode = await run(options);
    });
}

/** What is wrong with the numbers of faults; null: nothing. A slip in a replay must not pass for a run that is well. */
async function faultOf({ seed, runs, days, faults }: Options): Promise<string | null> {
  if (faults === undefined || faults.length === 0) return null;
  const { faultsOf } = await import("#lab/simulation/shrink.ts");
  const last = Math.max(...faults);
  for (let at = 0; at < runs; at++) {
    const count = faultsOf({ seed: seed + at, days });
    if (last < count) continue;
    const numbers = count === 0 ? "" : `, with numbers from 0 to ${count - 1}`;
    return `option '--faults <list>' names fault ${last}, but the plan of seed ${seed + at} over ${days} days has ${count} faults${numbers}`;
  }
  return null;
}

async function run(options: Options): Promise<number> {
  const { simulate } = await import("#lab/simulation/simulation.ts");
  const { seed, runs, days, faults, clients, feeds } = options;
  const isShown = process.stderr.isTTY === true && options.trace !== true;
  const outcomes: RunOutcome[] = [];
  for (let at = 0; at < runs; at++) {
    const settings: RunSettings = {
      seed: seed + at,
      days,
      faults,
      clients,
      feeds,
      tell: options.trace ? (line) => void process.stderr.write(line) : undefined,
      onProgress: isShown ? (atMs) => show(seed + at, at, runs, atMs, days) : undefined,
    };
    const outcome = await simulate(settings);
    outcomes.push(outcome);
    if (isShown) process.stderr.write("\r\x1b[K");
    if (outcome.broken !== null) {
      await tellBroken(options, settings, outcome, outcomes);
      return ExitCode.failed;
    }
    if (options.json !== true) process.stdout.write(`${summaryOf(outcome)}\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify({ ok: true, runs: outcomes }, null, 2)}\n`);
  else if (runs > 1) process.stdout.write(`\n${runs} runs kept every promise.\n`);
  return ExitCode.ok;
}

async function tellBroken(
  options: Options,
  settings: RunSettings,
  outcome: RunOutcome,
  outcomes: readonly RunOutcome[],
): Promise<void> {
  const { replayOf, shrink } = await import("#lab/simulation/shrink.ts");
  const { PROMISES } = await import("#lab/simulation/promises.ts");
  const { describe } = await import("#lab/simulation/plan.ts");
  const { broken } = outcome;
  if (broken === null) return;
  const { seed, days, faults, clients, feeds } = settings;
  const replay = replayOf(settings);
  // Before anything is shrunk, which may take long and be cut short: the seed that was found must not be lost.
  if (options.json) process.stderr.write(`BROKEN  ${broken.promise}: ${replay}\n`);
  else
    process.stdout.write(
      `BROKEN  ${broken.promise}: ${PROMISES[broken.promise]}\n` +
        `  ${broken.detail}\n  seed ${seed}, step ${broken.step}, ${(broken.atMs / 3_600_000).toFixed(4)} h\n  ${replay}\n`,
    );
  using interruption = new Interruption();
  const { signal } = interruption;
  const small = options.shrink
    ? await shrink({ seed, days, faults, clients, feeds }, outcome, { signal, onTry: shrinkingTeller() })
    : null;
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  if (options.json) {
    const shrunk =
      small === null
        ? null
        : { replay: replayOf(small.settings), outcome: small.outcome, faults: small.faults };
    process.stdout.write(`${JSON.stringify({ ok: false, replay, shrunk, runs: outcomes }, null, 2)}\n`);
    return;
  }
  if (small === null) return;
  process.stdout.write(
    `Shrunk in ${small.tries} runs${signal.aborted ? ", when it was told to stop," : ""} to ${small.faults.length} faults:\n` +
      `${small.faults.map((fault) => `  ${describe(fault)}\n`).join("")}` +
      `  ${small.outcome.broken?.detail}\n  ${replayOf(small.settings)}\n`,
  );
}

/** The first SIGINT or SIGTERM of its lifetime, which then does not end the process; the second one does. */
class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #stop = (): void => {
    this[Symbol.dispose]();
    this.#controller.abort();
  };

  constructor() {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, this.#stop);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.removeListener(name, this.#stop);
  }
}

/** A line that changes on a terminal; elsewhere, such as in CI, a line for each smaller run. */
function shrinkingTeller(): (tries: number, faults: number) => void {
  let fewest = Number.POSITIVE_INFINITY;
  return (tries, faults) => {
    const text = `shrinking: faults left: ${faults}, after ${tries} runs`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    else if (faults < fewest) process.stderr.write(`${text}\n`);
    fewest = faults;
  };
}

function summaryOf(outcome: RunOutcome): string {
  const { seed, days, steps, faults, connections, deliveries, lives, published, digest } = outcome;
  return (
    `ok  seed ${seed}, ${days} days: ${steps} steps, ${faults} faults, ${lives} lives of the gateway, ` +
    `${connections} connections, ${published} events, ${deliveries} deliveries; ${digest}`
  );
}

function show(seed: number, at: number, runs: number, atMs: number, days: number): void {
  const share = Math.min(1, atMs / (days * 86_400_000));
  const which = runs > 1 ? ` (run ${at + 1} of ${runs})` : "";
  process.stderr.write(`\r\x1b[Kseed ${seed}${which}: day ${(share * days).toFixed(1)} of ${days}`);
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

function daysIn(text: string): number {
  const days = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && days > 0 && days <= 3660) return days;
  throw new InvalidArgumentError("It must be a number of days, over 0 and up to 3660, such as 0.5.");
}

function numbersIn(text: string): number[] {
  if (text === "none") return [];
  if (/^\d+(,\d+)*$/.test(text)) return text.split(",").map(Number);
  throw new InvalidArgumentError("It must be numbers with commas between, such as 3,17,40; or none.");
}
