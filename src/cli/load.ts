import { type Command, InvalidArgumentError, Option } from "commander";
import { SystemClock } from "#base/system-clock.ts";
import { parseBytes, parseDurationMs } from "#base/units.ts";
import type { LoadPlan } from "#lab/load/plan.ts";
import type { Moment } from "#lab/load/report.ts";
import type { Phase } from "#lab/load/run.ts";
import type { ServerKind } from "#lab/load/target.ts";
import { ExitCode } from "./exit.ts";
import { pageTrouble, writePage } from "./page-file.ts";
import { PromptError, readPassword } from "./prompt.ts";

interface Options {
  readonly url?: string;
  readonly iOwnThisHost?: boolean;
  readonly server: ServerKind;
  readonly sse: number;
  readonly websocket: number;
  readonly rate: number;
  readonly duration: number;
  readonly settle: number;
  readonly events: number | "max";
  readonly burst: number;
  readonly payload: number;
  readonly publishers: number;
  readonly pipeline: number;
  readonly topics: number;
  readonly subscriptions: number;
  readonly topicPrefix?: string;
  readonly ssePath?: string;
  readonly websocketPath?: string;
  readonly publishPath?: string;
  readonly churn: number;
  readonly resume?: boolean;
  readonly slow: number;
  readonly slowRate: number;
  readonly timeout: number;
  readonly workers?: number;
  readonly user?: string;
  readonly passwordStdin?: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly pid?: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
  readonly html?: string;
}

/** Adds `load`: a load test. Exit status 1 when something was lost, doubled, out of order or refused. */
export function addLoadCommand(program: Command): void {
  const duration = (flags: string, text: string, ms: number, shown: string): Option =>
    new Option(flags, text).default(ms, shown).argParser(durationOf);
  program
    .command("load")
    .description(
      "load test: hold many subscribers, publish to them, and count what each got. Without --url, on a gateway of its own. " +
        "Tokens come from STREAMKEEPER_LOAD_TOKEN and STREAMKEEPER_LOAD_PUBLISH_TOKEN (default: the same), or a user signs in",
    )
    .option("--url <url>", "the server's root, such as http://127.0.0.1:8080; absent: a gateway is started")
    .option("--i-own-this-host", "the server is not on this machine, and you may do this to it")
    .addOption(
      new Option("--server <kind>", "what it is: its paths and formats")
        .choices(["streamkeeper", "mercure", "centrifugo"])
        .default("streamkeeper"),
    )
    .option("--sse <count>", "SSE subscribers", countOf, 100)
    .option("--websocket <count>", "WebSocket subscribers", countOf, 100)
    .option("--rate <count>", "connections opened a second", countOf, 1000)
    .addOption(
      duration("--duration <duration>", "how long events flow, once all are connected", 10_000, "10s"),
    )
    .addOption(duration("--settle <duration>", "how long the last events may take", 5000, "5s"))
    .option(
      "--events <rate>",
      "events published a second; max: as fast as they are taken; 0: none",
      eventsOf,
      20,
    )
    .option("--burst <count>", "events that are due at once", countOf, 1)
    .option("--payload <bytes>", "size of an event's data, such as 100 or 4KiB", bytesOf, 100)
    .option("--publishers <count>", "publishers, each on a connection of its own", countOf, 1)
    .option("--pipeline <count>", "requests of a publisher under way at once", countOf, 8)
    .option("--topics <count>", "topics that events go to, in turn", countOf, 1)
    .option("--subscriptions <count>", "topics of each subscriber", countOf, 1)
    .option("--topic-prefix <text>", "what topics begin with (default: /load/)")
    .option("--sse-path <path>", "instead of the server kind's own")
    .option("--websocket-path <path>", "instead of the server kind's own")
    .option("--publish-path <path>", "instead of the server kind's own")
    .option("--churn <rate>", "connections closed and opened again a second", countOf, 0)
    .option("--resume", "connections that churn go on from their cursor, and may miss nothing")
    .option("--slow <count>", "subscribers, of all, that read slowly", countOf, 0)
    .option("--slow-rate <bytes>", "bytes that they read a second", bytesOf, 1024)
    .addOption(
      duration("--timeout <duration>", "longest time to connect, sign in and subscribe", 30_000, "30s"),
    )
    .option(
      "--workers <count>",
      "processes that hold subscribers (default: by cores and descriptors)",
      countOf,
    )
    .option("--user <name>", "sign in as this user; the password is asked for, or from STREAMKEEPER_PASSWORD")
    .option("--password-stdin", "read the password from standard input")
    .option("--ca <file>", "PEM file of certificates to trust beside the usual ones")
    .option(
      "--cert <file>",
      "certificate of the gateway that is started, for TLS; needs --key, and --ca if it is of your own",
    )
    .option("--key <file>", "its private key")
    .option(
      "--pid <pid>",
      "the server's process, for its CPU and memory (default: who listens at the port)",
      countOf,
    )
    .option("--verbose", "tell each second how it goes, where standard error is no terminal too")
    .option("--json", "answer as JSON")
    .option("--html <file>", "write a report with plots, as one self-contained page")
    .action(async (options: Options, command: Command) => {
      const { LoadUsageError } = await import("#lab/load/plan.ts");
      const { CheckUsageError } = await import("#lab/check/target.ts");
      const usage = [LoadUsageError, CheckUsageError, PromptError];
      const fault = faultOf(options);
      if (fault !== null) command.error(`error: ${fault}`);
      try {
        process.exitCode = await load(options);
      } catch (thrown) {
        if (usage.some((type) => thrown instanceof type))
          command.error(`error: ${(thrown as Error).message}`);
        throw thrown;
      }
    });
}

async function load(options: Options): Promise<number> {
  const { openLoad } = await import("#lab/load/open.ts");
  const { runLoad } = await import("#lab/load/run.ts");
  const { reportText } = await import("#lab/load/report.ts");
  const password =
    options.user === undefined ? null : await readPassword({ stdin: options.passwordStdin === true });
  const interrupt = new AbortController();
  const stop = (): void => interrupt.abort();
  // Once: a second Ctrl-C ends the program as usual. Before anything is opened, so that nothing of it is left behind.
  process.once("SIGINT", stop).once("SIGTERM", stop);
  await using opened = await openLoad({
    plan: await planOf(options),
    url: options.url ?? null,
    isOwnHost: options.iOwnThisHost === true,
    dialect: {
      topicPrefix: options.topicPrefix,
      ssePath: options.ssePath,
      websocketPath: options.websocketPath,
      publishPath: options.publishPath,
    },
    ca: options.ca,
    tls:
      options.cert === undefined || options.key === undefined
        ? null
        : { cert: options.cert, key: options.key },
    pid: options.pid ?? null,
    credentials: options.user === undefined || password === null ? null : { user: options.user, password },
    environment: process.env,
  });
  const progress = new Progress(options.verbose === true);
  const { report, latencyUs } = await runLoad({
    ...opened.run,
    clock: new SystemClock(),
    signal: interrupt.signal,
    onProgress: (phase, moment) => progress.show(phase, moment),
  });
  progress.clear();
  // First, since a page that can't be written must not take what was found with it.
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  const { reportPage } = await import("#lab/load/report-page.ts");
  const trouble = options.html === undefined ? null : writePage(options.html, reportPage(report, latencyUs));
  if (trouble !== null) process.stderr.write(`error: the page was not written (${trouble})\n`);
  return report.ok && trouble === null ? ExitCode.ok : ExitCode.failed;
}

/** What is wrong with the options, each of which is right by itself, and what to do; null: nothing. */
function faultOf({ url, cert, key, user, passwordStdin, html }: Options): string | null {
  if ((cert === undefined) !== (key === undefined))
    return "--cert and --key need each other: without both the gateway that is started speaks plain HTTP";
  if (cert !== undefined && url !== undefined)
    return "--cert and --key are for the gateway that is started: leave them out, or --url";
  if (passwordStdin === true && user === undefined)
    return "--password-stdin needs --user: whose password is it?";
  return html === undefined ? null : pageTrouble(html);
}

async function planOf(options: Options): Promise<LoadPlan> {
  const { workersFor } = await import("#lab/load/run.ts");
  const { descriptorLimit } = await import("#app/descriptors.ts");
  const { server, sse, websocket, topics, subscriptions, publishers, burst, pipeline, slow } = options;
  return {
    ...{ server, sse, websocket, topics, subscriptions, publishers, burst, pipeline, slow },
    opensPerSecond: options.rate,
    eventsPerSecond: options.events === "max" ? null : options.events,
    payloadBytes: options.payload,
    durationMs: options.duration,
    settleMs: options.settle,
    churnPerSecond: options.churn,
    resumes: options.resume === true,
    slowBytesPerSecond: options.slowRate,
    connectTimeoutMs: options.timeout,
    workers: options.workers ?? workersFor(sse + websocket, descriptorLimit()),
  };
}

/** One line on a terminal, written over each second; elsewhere a line each, where asked for. */
class Progress {
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #isVerbose: boolean;

  constructor(isVerbose: boolean) {
    this.#isVerbose = isVerbose;
  }

  show(phase: Phase, moment: Moment): void {
    const latency = moment.latencyP99Ms === null ? "–" : `${moment.latencyP99Ms.toFixed(1)} ms`;
    const { serverCpuPercent } = moment;
    const server = serverCpuPercent === null ? "" : `, server CPU ${Math.round(serverCpuPercent)} %`;
    const text = `${phase}: ${moment.connections} connected, ${Math.round(moment.deliveriesPerSecond)} deliveries/s, p99 ${latency}${server}`;
    if (this.#isTerminal)
      process.stderr.write(`${CLEAR}${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
    else if (this.#isVerbose) process.stderr.write(`${text}\n`);
  }

  clear(): void {
    if (this.#isTerminal) process.stderr.write(CLEAR);
  }
}

const CLEAR = "\r\x1b[2K";

function countOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

function eventsOf(text: string): number | "max" {
  if (text === "max") return text;
  if (!/^\d{1,9}(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It must be a number or "max".');
  return Number(text);
}

function bytesOf(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === null) throw new InvalidArgumentError("It must be a size, such as 100 or 4KiB.");
  return bytes;
}

function durationOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === null) throw new InvalidArgumentError("It must be a duration, such as 30s or 5m.");
  return ms;
}
