import { type Command, InvalidArgumentError, Option } from "commander";
import { SystemClock } from "#base/system-clock.ts";
import type { SeededLeak } from "#lab/leaks/seed-names.ts";
import type { Sample } from "#lab/soak/sample.ts";
import { ExitCode } from "./exit.ts";
import { pageTrouble, writePage } from "./page-file.ts";

interface Options {
  readonly hours: number;
  readonly compress: number;
  readonly seed: number;
  readonly dir: string;
  readonly resume?: boolean;
  readonly html?: string;
  readonly json?: boolean;
  readonly seedLeak?: string;
}

/** Adds `soak`: the long-running test with faults injected, and leak detection. Exit status 1 on a broken promise or a leak. */
export function addSoakCommand(program: Command): void {
  program
    .command("soak")
    .description(
      "run a gateway for hours among faults, floods, restarts and clients that come and go; count every event, and look for leaks",
    )
    .addOption(new Option("--hours <hours>", "how long").default(1).argParser(between(0.005, 24 * 90)))
    .addOption(
      new Option(
        "--compress <factor>",
        "pack the turnover of connections of so many times the hours into them",
      )
        .default(1)
        .argParser(between(0.01, 1000)),
    )
    .addOption(
      new Option("--seed <number>", "the same seed, the same plan").default(1).argParser(wholeNumber),
    )
    .option("--dir <dir>", "where samples, logs and snapshots go; a run of its own each", "data/soak")
    .option("--resume", "go on with the run in --dir, with its settings")
    .option("--html <file>", "write a report with plots")
    .option("--json", "answer as JSON")
    .addOption(
      new Option("--seed-leak <name>", "for tests of the leak detection: has the gateway leak").hideHelp(),
    )
    .action(async (options: Options, command: Command) => {
      const trouble = options.html === undefined ? null : pageTrouble(options.html);
      if (trouble !== null) command.error(`error: ${trouble}`);
      const { SoakDirectoryError } = await import("#lab/soak/run.ts");
      try {
        process.exitCode = await soak(options, await seededLeakOf(options.seedLeak, command));
      } catch (thrown) {
        if (thrown instanceof SoakDirectoryError) command.error(`error: ${thrown.message}`);
        throw thrown;
      }
    });
}

async function soak(options: Options, seedLeak: SeededLeak | null): Promise<number> {
  const { runSoak } = await import("#lab/soak/run.ts");
  const { readFindings } = await import("#lab/soak/findings.ts");
  const { judge } = await import("#lab/soak/verdict.ts");
  const { htmlReport, jsonReport, textReport } = await import("#lab/soak/report.ts");
  const { formatElapsed } = await import("#lab/report/scale.ts");
  const interrupted = new AbortController();
  const stop = () => interrupted.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const tell = progress(formatElapsed);
  const record = await runSoak(
    {
      durationMs: Math.round(options.hours * 3_600_000),
      compress: options.compress,
      seed: options.seed,
      seedLeak,
      dir: options.dir,
      resume: options.resume === true,
      signal: interrupted.signal,
      onSample: tell.sample,
      onNote: ({ atMs, what, text }) => {
        if (what !== "phase" && what !== "pair") tell.line(`${formatElapsed(atMs)}  ${what}: ${text}`);
      },
    },
    new SystemClock(),
  );
  process.removeListener("SIGINT", stop).removeListener("SIGTERM", stop);
  if (record.pairs.length > 0) tell.line(`reading ${2 * record.pairs.length} heap snapshots`);
  const verdict = judge(record, await readFindings(record.pairs));
  // First what can't fail: a disk may have filled up in hours.
  process.stdout.write(
    options.json ? `${JSON.stringify(jsonReport(record, verdict), null, 2)}\n` : textReport(record, verdict),
  );
  const trouble = options.html === undefined ? null : writePage(options.html, htmlReport(record, verdict));
  if (trouble !== null)
    process.stderr.write(
      `streamkeeper: the page was not written (${trouble}); --resume with the same --dir and another --html makes it anew\n`,
    );
  // A fault of the soak itself, with its stack; what was seen until then is told.
  if (record.failure !== null) throw record.failure.thrown;
  return verdict.ok && trouble === null ? ExitCode.ok : ExitCode.failed;
}

/** Between two lines of progress where the output is no terminal, in milliseconds. */
const LINE_EVERY_MS = 60_000;

/** Tells on standard error how it goes: on one line of a terminal, else by a line a minute. */
function progress(elapsed: (ms: number) => string) {
  const { stderr } = process;
  let nextMs = 0;
  return {
    sample(
      { atMs, phase, totals, outside, inside, life }: Sample,
      plan: { readonly durationMs: number },
    ): void {
      const text =
        `${elapsed(atMs)} of ${elapsed(plan.durationMs)}  ${phase}  life ${life}  ${totals.opened} connections, ` +
        `${totals.faults} faults, ${totals.fleet.events} events received, ${totals.fleet.lost + totals.fleet.repeated} wrong; ` +
        `${Math.round(((outside?.rssBytes ?? 0) / 2 ** 20) * 10) / 10} MiB resident, ${Math.round((inside.heapUsed / 2 ** 20) * 10) / 10} MiB heap`;
      if (stderr.isTTY) stderr.write(`\r\x1b[K${text}`);
      else if (atMs >= nextMs) stderr.write(`${text}\n`);
      if (atMs >= nextMs) nextMs = atMs + LINE_EVERY_MS;
    },
    line(text: string): void {
      stderr.write(`${stderr.isTTY ? "\r\x1b[K" : ""}${text}\n`);
    },
  };
}

async function seededLeakOf(name: string | undefined, command: Command): Promise<SeededLeak | null> {
  if (name === undefined) return null;
  const { isSeededLeak, SEEDED_LEAKS } = await import("#lab/leaks/seed-names.ts");
  if (process.env.STREAMKEEPER_LAB !== "1")
    command.error("error: --seed-leak is for tests, with STREAMKEEPER_LAB=1");
  if (isSeededLeak(name)) return name;
  return command.error(`error: --seed-leak takes one of ${Object.keys(SEEDED_LEAKS).join(", ")}`);
}

function between(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    return value;
  };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text))
    throw new InvalidArgumentError("It must be a whole number of at most nine digits.");
  return value;
}
