import { readFileSync } from "node:fs";
import type { Clock } from "#base/clock.ts";
import { SystemClock } from "#base/system-clock.ts";
import { brokenUnlessZero, type Figures, median, type StormResult } from "../upstream-storm/report.ts";
import { Crew } from "./crew.ts";
import { CLIENT_ROLE, GatewayProcess, PUBLISHER_ROLE } from "./gateway-process.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { Publisher } from "./publisher.ts";
import type { NeighboursCommand, NeighboursTally } from "./slow-neighbours-clients.ts";
import { passed } from "./waiting.ts";

export interface SlowNeighboursOptions {
  /** Half of them by each transport, as of the slow ones. */
  readonly readers: number;
  readonly slow: number;
  /** Processes that the readers are in. */
  readonly processes: number;
  /** Each has a phase with the slow ones and one without. */
  readonly rounds: number;
  readonly phaseSeconds: number;
  readonly eventsPerSecond: number;
  /** `heartbeat.timeout`, by which those that take nothing are ended. */
  readonly timeoutMs: number;
  /** Whether a phase comes before those that count. */
  readonly warms: boolean;
  /** Whether the ratio of the latencies is a promise: not where others use the machine at the same time. */
  readonly judgesLatency: boolean;
}

const TOPIC = "/slow/all";
/** Only the slow ones have it: what fills the kernel's buffers and then their queues. */
const BULK_TOPIC = "/slow/bulk";
const EVENT_BYTES = 200;
const BULK_BYTES = 60 * 1024;
/** While the kernel's buffers are filled, which is not timed, and afterwards where queues are. */
const BULK_PER_SECOND = { filling: 50, timed: 2 } as const;
/** More than the kernel's buffers of one socket and another differ by, so that all can be blocked at the same time. */
const QUEUE_BYTES = 4 * 1024 * 1024;
/** Above `heartbeat.timeout`: the precision of the gateway's timers, and of our looking. */
const GRACE_MS = 1000;
/** Bulk that is published between two looks, and the share of it that waits when all are blocked; the rest is frames'. */
const BULK_AT_ONCE = 5;
const BLOCKED_SHARE = 0.98;
/** Between two looks at how they end. */
const LOOK_MS = 50;
const WITHIN_MS = 60_000;
/** Of bulk that is published to block them, at most: kernels have other buffers. */
const BULK_MAX = 2000;
/** Readers' latency with slow neighbours, against that without. */
const RATIO_MAX = 1.2;

interface SlowPhase {
  readonly latencies: LatencyHistogram;
  /** Notes of the bulk that were published before the timing. */
  readonly filling: number;
  readonly memoryGrownBytes: number;
  readonly kernelGrownBytes: number;
  readonly queuedBytesMax: number;
  /** From all being blocked to the last one's end. */
  readonly endedMs: number;
}

interface Round {
  readonly slow: SlowPhase;
  readonly quiet: LatencyHistogram;
}

/**
 * Readers are timed in turns: with neighbours that have stopped reading, and without. These come, fill all that is
 * between, and are ended in each such phase.
 */
export async function runSlowNeighbours(options: SlowNeighboursOptions): Promise<StormResult> {
  await using scene = await Scene.open(options);
  const rounds: Round[] = [];
  if (options.warms) await scene.slowPhase();
  for (let round = 1; round <= options.rounds; round++) {
    const slow = await scene.slowPhase();
    rounds.push({ slow, quiet: await scene.quietPhase(slow) });
  }
  return verdict(options, rounds, await scene.books());
}

class Scene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #clock: Clock;
  readonly #options: SlowNeighboursOptions;
  readonly #gateway: GatewayProcess;
  readonly #readers: Crew<NeighboursCommand>;
  readonly #slow: Crew<NeighboursCommand>;
  readonly #slowTokens: readonly string[];
  readonly #publisher: Publisher;
  readonly #bulk: Publisher;
  readonly #playing: Promise<void>;
  #slowOpened = 0;

  private constructor(
    stack: AsyncDisposableStack,
    options: SlowNeighboursOptions,
    clock: Clock,
    gateway: GatewayProcess,
    crews: { readers: Crew<NeighboursCommand>; slow: Crew<NeighboursCommand> },
    tokens: { slow: readonly string[]; publisher: string },
  ) {
    this.#stack = stack;
    this.#options = options;
    this.#clock = clock;
    this.#gateway = gateway;
    this.#readers = crews.readers;
    this.#slow = crews.slow;
    this.#slowTokens = tokens.slow;
    this.#publisher = new Publisher(gateway.url, tokens.publisher, TOPIC, clock);
    this.#bulk = new Publisher(gateway.url, tokens.publisher, BULK_TOPIC, clock);
    this.#playing = this.#publisher.play(options.eventsPerSecond, EVENT_BYTES);
    // Told at the end, by whoever awaits it.
    this.#playing.catch(() => {});
  }

  static async open(options: SlowNeighboursOptions): Promise<Scene> {
    const { readers, slow, processes, timeoutMs } = options;
    const clock = new SystemClock();
    await using stack = new AsyncDisposableStack();
    const all = readers + slow;
    const gateway = stack.use(
      await GatewayProcess.start(
        clock,
        "/slow/*",
        `limits: { connections: ${all}, connectionsPerAddress: ${all}, queueBytes: ${QUEUE_BYTES} }
heartbeat: { timeout: ${timeoutMs}ms }`,
      ),
    );
    const tokens = await gateway.tokens(CLIENT_ROLE, all);
    const [publisher = ""] = await gateway.tokens(PUBLISHER_ROLE, 1);
    const program = new URL("./slow-neighbours-clients.ts", import.meta.url);
    const readerCrew = stack.use(new Crew<NeighboursCommand>(program, processes));
    const slowCrew = stack.use(new Crew<NeighboursCommand>(program, 1));
    const each = Math.ceil(readers / processes);
    const door = { host: gateway.host, port: gateway.port, topic: TOPIC, isAlone: false };
    const out = await readerCrew.ask<number>((index) => ({
      do: "open",
      door,
      tokens: tokens.slice(index * each, Math.min(readers, (index + 1) * each)),
    }));
    if (sumOf(out) > 0) throw new Error(`${sumOf(out)} readers did not get in`);
    const crews = { readers: readerCrew, slow: slowCrew };
    return new Scene(stack.move(), options, clock, gateway, crews, {
      slow: tokens.slice(readers),
      publisher,
    });
  }

  /**
   * The readers alone, and all else as it was with the slow ones: bulk, though to nobody, and looks at the metrics, which
   * cost the gateway time too.
   */
  async quietPhase(like: SlowPhase): Promise<LatencyHistogram> {
    for (let sent = 0; sent < like.filling; sent++) {
      await this.#fill();
      if ((sent + 1) % BULK_AT_ONCE === 0) await this.#gateway.metrics();
    }
    const startedMs = this.#clock.monotonicMs();
    const overMs = await this.#startTiming();
    await this.#publishWhile(async () => {
      await this.#gateway.metrics();
      return this.#clock.monotonicMs() < startedMs + like.endedMs;
    });
    await passed(this.#clock, overMs - this.#clock.monotonicMs());
    return await this.#timed();
  }

  /**
   * With the slow ones, who come, stop reading, and are blocked; from then on the readers are timed.
   * Bulk goes on, so that some of them are ended by their queue's bound and the others by the deadline.
   */
  async slowPhase(): Promise<SlowPhase> {
    const { slow } = this.#options;
    const { host, port } = this.#gateway;
    const door = { host, port, topic: TOPIC, besides: BULK_TOPIC, isAlone: false };
    const before = { memory: this.#gateway.memoryBytes(), kernel: kernelBytes() };
    const most = { ...before, queued: 0 };
    const look = async () => {
      most.memory = Math.max(most.memory, this.#gateway.memoryBytes());
      most.kernel = Math.max(most.kernel, kernelBytes());
      const metrics = await this.#gateway.metrics();
      const queued = metrics.get("streamkeeper_queue_bytes") ?? 0;
      most.queued = Math.max(most.queued, queued);
      return { queued, closed: slowlyClosed(metrics) };
    };
    const [out] = await this.#slow.ask<number>({ do: "open", door, tokens: this.#slowTokens });
    if (out !== 0) throw new Error(`${out} of the slow ones did not get in`);
    this.#slowOpened += slow;
    await this.#slow.ask({ do: "stop reading" });

    let filling = 0;
    const closedBefore = this.#slowOpened - slow;
    for (let last = await look(), isBlocked = false; !isBlocked && filling < BULK_MAX; ) {
      for (let sent = 0; sent < BULK_AT_ONCE; sent++) await this.#fill();
      filling += BULK_AT_ONCE;
      const now = await look();
      const open = slow - (now.closed - closedBefore);
      isBlocked = now.queued - last.queued >= BLOCKED_SHARE * BULK_AT_ONCE * BULK_BYTES * open;
      last = now;
    }
    const blockedMs = this.#clock.monotonicMs();
    const overMs = await this.#startTiming();
    await this.#publishWhile(
      async () =>
        (await look()).closed < this.#slowOpened && this.#clock.monotonicMs() <= blockedMs + WITHIN_MS,
    );
    const endedMs = this.#clock.monotonicMs() - blockedMs;
    await passed(this.#clock, overMs - this.#clock.monotonicMs());
    const latencies = await this.#timed();
    await this.#slow.ask({ do: "leave" });
    return {
      latencies,
      filling,
      memoryGrownBytes: most.memory - before.memory,
      kernelGrownBytes: most.kernel - before.kernel,
      queuedBytesMax: most.queued,
      endedMs,
    };
  }

  /** Figures of the whole run, the last. */
  async books(): Promise<Figures> {
    this.#publisher.stop();
    await this.#playing;
    await this.#publisher.publish(EVENT_BYTES);
    const tallies = await this.#tallies();
    const metrics = await this.#gateway.metrics();
    return {
      "events published to the readers": this.#publisher.head,
      "slow ones in all": this.#slowOpened,
      "ended as slow": slowlyClosed(metrics),
      "counted as sent away": metrics.get('streamkeeper_slow_consumers_total{verdict="disconnect"}') ?? 0,
      "ended for other reasons":
        (metrics.get("streamkeeper_connections_closed_total") ?? 0) - slowlyClosed(metrics),
      "readers that were ended": sumOf(tallies.map(({ ended }) => ended)),
      "readers without the last event": sumOf(tallies.map(({ behind }) => behind)),
      "readers' events lost, doubled or out of order": sumOf(tallies.map(({ wrong }) => wrong)),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#publisher.stop();
    return this.#stack.disposeAsync();
  }

  /** One, and the pause of a steady pace before the next. */
  async #fill(): Promise<void> {
    await this.#bulk.publish(BULK_BYTES);
    await passed(this.#clock, 1000 / BULK_PER_SECOND.filling);
  }

  /** Publishes bulk at the pace of the timed phase, as long as each of its looks says so. */
  async #publishWhile(look: () => Promise<boolean>): Promise<void> {
    for (let nextMs = this.#clock.monotonicMs(); await look(); await passed(this.#clock, LOOK_MS)) {
      if (this.#clock.monotonicMs() < nextMs) continue;
      await this.#bulk.publish(BULK_BYTES);
      nextMs += 1000 / BULK_PER_SECOND.timed;
    }
  }

  /** Answers when the phase is over. */
  async #startTiming(): Promise<number> {
    const overMs = this.#clock.monotonicMs() + this.#options.phaseSeconds * 1000;
    await this.#readers.ask({ do: "time" });
    return overMs;
  }

  #tallies(): Promise<NeighboursTally[]> {
    return this.#readers.ask<NeighboursTally>({
      do: "tally",
      number: this.#publisher.head,
      withinMs: WITHIN_MS,
    });
  }

  async #timed(): Promise<LatencyHistogram> {
    const all = new LatencyHistogram();
    for (const { counts } of await this.#tallies()) all.add(new LatencyHistogram(counts));
    return all;
  }
}

function verdict(
  { readers, slow, phaseSeconds, timeoutMs, judgesLatency }: SlowNeighboursOptions,
  rounds: readonly Round[],
  books: Figures,
): StormResult {
  const quiet = rounds.map(({ quiet }) => quiet);
  const loud = rounds.map(({ slow }) => slow.latencies);
  const at = (histograms: readonly LatencyHistogram[], share: number) =>
    histograms.map((histogram) => histogram.percentileMs(share));
  const ratioOf = (share: number) =>
    median(rounds.map(({ slow, quiet }) => slow.latencies.percentileMs(share) / quiet.percentileMs(share)));
  // How far two quiet phases are apart: what no ratio can be trusted below.
  const noiseOf = (share: number) => {
    const values = at(quiet, share);
    return Math.max(...values) / Math.min(...values);
  };
  const worst = (what: (phase: SlowPhase) => number) => Math.max(...rounds.map(({ slow }) => what(slow)));
  const ratios = { median: ratioOf(0.5), p99: ratioOf(0.99) };
  const memoryMax = slow * QUEUE_BYTES;
  const late = rounds.filter(({ slow }) => slow.endedMs > timeoutMs + GRACE_MS).length;
  const figures: Figures = {
    "readers, half by each transport": readers,
    "that stop reading": slow,
    "rounds of two phases, seconds each": `${rounds.length}, ${phaseSeconds}`,
    "deliveries timed": sumOf([...quiet, ...loud].map(({ samples }) => samples)),
    "median without them, ms": list(at(quiet, 0.5)),
    "median with them, ms": list(at(loud, 0.5)),
    "p99 without them, ms": list(at(quiet, 0.99)),
    "p99 with them, ms": list(at(loud, 0.99)),
    "median: with / without": ratios.median.toFixed(2),
    "p99: with / without": ratios.p99.toFixed(2),
    "the widest two phases without, median / p99": `${noiseOf(0.5).toFixed(2)} / ${noiseOf(0.99).toFixed(2)}`,
    "gateway's memory grown by at most, MiB": worst(({ memoryGrownBytes }) => memoryGrownBytes) / 2 ** 20,
    "their bounds, MiB": memoryMax / 2 ** 20,
    "waiting at most, MiB": worst(({ queuedBytesMax }) => queuedBytesMax) / 2 ** 20,
    "kernel's TCP memory grown by, MiB": worst(({ kernelGrownBytes }) => kernelGrownBytes) / 2 ** 20,
    "ended after all were blocked, at most, ms": worst(({ endedMs }) => endedMs),
    "deadline (heartbeat.timeout), ms": timeoutMs,
    "phases in which they ended too late": late,
    ...books,
  };
  const broken = brokenUnlessZero(
    figures,
    "phases in which they ended too late",
    "ended for other reasons",
    "readers that were ended",
    "readers without the last event",
    "readers' events lost, doubled or out of order",
  );
  for (const name of ["ended as slow", "counted as sent away"])
    if (books[name] !== books["slow ones in all"]) broken.push(`${name}: ${books[name]}`);
  if (worst(({ memoryGrownBytes }) => memoryGrownBytes) > memoryMax)
    broken.push("memory grew beyond the bounds");
  if (judgesLatency) {
    for (const [name, ratio] of Object.entries(ratios))
      if (!(ratio <= RATIO_MAX)) broken.push(`${name}: ${ratio.toFixed(2)} times that without them`);
  }
  return { name: "slow neighbours", figures, broken };
}

function slowlyClosed(metrics: ReadonlyMap<string, number>): number {
  return (["sse", "websocket"] as const)
    .map(
      (transport) => `streamkeeper_connections_closed_total{transport="${transport}",reason="slow_consumer"}`,
    )
    .reduce((sum, series) => sum + (metrics.get(series) ?? 0), 0);
}

/** What the kernel holds for TCP sockets, of all processes. */
function kernelBytes(): number {
  const pages = /^TCP: .* mem (\d+)/m.exec(readFileSync("/proc/net/sockstat", "latin1"))?.[1];
  return Number(pages) * 4096;
}

function list(values: readonly number[]): string {
  return values.map((value) => value.toFixed(1)).join(" ");
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
