import { availableParallelism } from "node:os";
import type { Clock } from "#base/clock.ts";
import { faultsOf, lostOf } from "./faults.ts";
import { Histogram } from "./histogram.ts";
import type { LoadPlan } from "./plan.ts";
import { type LoadReport, type Moment, summaryOf } from "./report.ts";
import { type ServerUse, serverUse } from "./server-process.ts";
import type { LoadTarget } from "./target.ts";
import { addCounts, totalOf } from "./totals.ts";
import type { FleetSample, Published, PublishersSample, Settled } from "./worker/messages.ts";
import { WorkerProcess } from "./worker/process.ts";

export interface LoadRun {
  readonly plan: LoadPlan;
  readonly target: LoadTarget;
  /** For the report. */
  readonly url: string;
  /** Of subscribers, and of publishers; null: none. */
  readonly token: string | null;
  readonly publishToken: string | null;
  /** The server's process where it is on this machine, else null. */
  readonly pid: number | null;
  readonly clock: Clock;
  /** Ends the run early, with its report. */
  readonly signal: AbortSignal;
  /** Told about each second. */
  readonly onProgress: (phase: Phase, moment: Moment) => void;
}

export type Phase = "opening" | "holding" | "settling";

/** Samples of a long run are further apart, so that its report stays readable. */
const SAMPLES_MAX = 3600;
const SAMPLE_MS_MIN = 1000;
const MOMENT_MS_MIN = 100;
const INTERRUPTED_SETTLE_MS_MAX = 1000;

/** Runs a load to its end; answers the report, and the histogram of latencies for plots. */
export async function runLoad(run: LoadRun): Promise<{ report: LoadReport; latencyUs: Histogram }> {
  await using stack = new AsyncDisposableStack();
  const load = new RunningLoad(run);
  stack.use(load);
  return await load.run();
}

class RunningLoad implements AsyncDisposable {
  readonly #run: LoadRun;
  readonly #fleets: readonly WorkerProcess[];
  readonly #publishers: WorkerProcess | null;
  readonly #latencyUs = new Histogram();
  /** Since the last moment of the timeline. */
  readonly #latencyUsLately = new Histogram();
  readonly #timeline: Moment[] = [];
  readonly #startedMs: number;
  #last: Sample | null = null;
  #memoryMax = 0;

  constructor(run: LoadRun) {
    this.#run = run;
    this.#startedMs = run.clock.monotonicMs();
    // A worker without a subscriber would have nothing to do.
    const workers = Math.min(run.plan.workers, run.plan.sse + run.plan.websocket);
    this.#fleets = Array.from({ length: workers }, () => new WorkerProcess());
    this.#publishers = run.plan.eventsPerSecond === 0 ? null : new WorkerProcess();
  }

  async run(): Promise<{ report: LoadReport; latencyUs: Histogram }> {
    const { plan, target, token, publishToken, clock, signal } = this.#run;
    const startedAt = new Date(clock.nowMs()).toISOString();
    const workers = this.#fleets.length;
    await Promise.all([
      ...this.#fleets.map((fleet, worker) =>
        fleet.ask({ ask: "fleet", job: { plan, target, token, worker, workers } }),
      ),
      this.#publishers?.ask({ ask: "publishers", job: { plan, target, token: publishToken } }),
    ]);
    const atStart = await this.#sample("opening");
    let allOpened = false;
    if (!signal.aborted) {
      const opening = Promise.all(this.#fleets.map((fleet) => fleet.ask({ ask: "begin" }))).then(() => {
        allOpened = true;
      });
      await this.#sampling("opening", opening);
    }
    const opened = await this.#sample("opening");

    if (!signal.aborted) await this.#publishers?.ask({ ask: "begin" });
    await this.#sampling("holding", this.#elapsed(plan.durationMs));
    const published: Published = (await this.#publishers?.ask({ ask: "stop" })) ?? {
      counts: [],
      refused: [],
    };
    const held = await this.#sample("holding");

    // What was on its way when it was interrupted is not lost by that.
    const timeoutMs = signal.aborted ? Math.min(plan.settleMs, INTERRUPTED_SETTLE_MS_MAX) : plan.settleMs;
    const question = { ask: "settle", published, timeoutMs } as const;
    const settling = Promise.all(this.#fleets.map((fleet) => fleet.ask(question)));
    await this.#sampling("settling", settling, false);
    const end = await this.#sample("settling");
    return {
      report: this.#report({ startedAt, atStart, opened, allOpened, held, end, settled: await settling }),
      latencyUs: this.#latencyUs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#fleets, this.#publishers].map(async (worker) => await worker?.[Symbol.asyncDispose]()),
    );
  }

  /** Samples about each second until `until`, or, where it can be interrupted, the signal. */
  async #sampling(phase: Phase, until: Promise<unknown>, canInterrupt = true): Promise<void> {
    const { clock, plan, signal } = this.#run;
    const everyMs = Math.max(SAMPLE_MS_MIN, plan.durationMs / SAMPLES_MAX);
    const stop = Promise.withResolvers<void>();
    const onAbort = (): void => stop.resolve();
    if (canInterrupt) signal.addEventListener("abort", onAbort);
    if (canInterrupt && signal.aborted) stop.resolve();
    until.then(
      () => stop.resolve(),
      (thrown) => stop.reject(thrown),
    );
    let isOver = false;
    const over = stop.promise.finally(() => {
      isOver = true;
    });
    // What it was rejected with is thrown by the race below.
    over.catch(() => {});
    try {
      while (!isOver) {
        const next = Promise.withResolvers<void>();
        using _timer = clock.after(everyMs, () => next.resolve());
        await Promise.race([over, next.promise]);
        if (!isOver) await this.#sample(phase);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #elapsed(ms: number): Promise<void> {
    const over = Promise.withResolvers<void>();
    const timer = this.#run.clock.after(ms, over.resolve);
    this.#run.signal.addEventListener("abort", () => timer.cancel(), { once: true });
    await over.promise;
  }

  async #sample(phase: Phase): Promise<Sample> {
    const { clock, pid } = this.#run;
    const [fleets, publishers] = await Promise.all([
      Promise.all(this.#fleets.map(async (fleet) => (await fleet.ask({ ask: "sample" })) as FleetSample)),
      this.#publishers?.ask({ ask: "sample" }) as Promise<PublishersSample> | undefined,
    ]);
    const sample: Sample = {
      atMs: clock.monotonicMs() - this.#startedMs,
      fleets,
      publishers: publishers ?? null,
      server: pid === null ? null : serverUse(pid),
    };
    for (const { latencyUs } of fleets) {
      this.#latencyUs.add(latencyUs);
      this.#latencyUsLately.add(latencyUs);
    }
    this.#memoryMax = Math.max(this.#memoryMax, sample.server?.memoryBytes ?? 0);
    // Rates over a moment are noise.
    if (this.#last !== null && sample.atMs - this.#last.atMs < MOMENT_MS_MIN) return sample;
    const moment = momentOf(sample, this.#last, this.#latencyUsLately);
    this.#latencyUsLately.reset();
    this.#last = sample;
    this.#timeline.push(moment);
    this.#run.onProgress(phase, moment);
    return sample;
  }

  #report(seen: Seen): LoadReport {
    const { plan, url, pid, signal } = this.#run;
    const { atStart, opened, held, end } = seen;
    const merged = (of: (fleet: FleetSample) => FleetSample["connectUs"]): Histogram => {
      const histogram = new Histogram();
      for (const fleet of end.fleets) histogram.add(of(fleet));
      return histogram;
    };
    const ledger = (of: (fleet: FleetSample) => number): number => totalOf(end.fleets, of);
    const lagUs = new Histogram();
    const answerUs = new Histogram();
    if (end.publishers !== null) lagUs.add(end.publishers.lagUs);
    if (end.publishers !== null) answerUs.add(end.publishers.answerUs);
    const found = {
      url,
      startedAt: seen.startedAt,
      interrupted: signal.aborted,
      plan,
      phasesMs: {
        open: opened.atMs - atStart.atMs,
        hold: held.atMs - opened.atMs,
        settle: end.atMs - held.atMs,
      },
      connections: {
        wanted: plan.sse + plan.websocket,
        allOpened: seen.allOpened,
        held: ledger(({ ready }) => ready),
        opened: ledger(({ opened: count }) => count),
        churned: ledger(({ churned }) => churned),
        failed: addCounts(end.fleets.map(({ failed }) => failed)),
        ended: addCounts(end.fleets.map(({ ended }) => ended)),
        slowEnded: addCounts(end.fleets.map(({ slowEnded }) => slowEnded)),
      },
      connectMs: summaryOf(merged(({ connectUs }) => connectUs)),
      signInMs: summaryOf(merged(({ signInUs }) => signInUs)),
      latencyMs: summaryOf(this.#latencyUs),
      published: {
        due: end.publishers?.due ?? 0,
        unsent: end.publishers?.unsent ?? 0,
        sent: end.publishers?.published ?? 0,
        accepted: end.publishers?.accepted ?? 0,
        refused: end.publishers?.refused ?? {},
        lagMs: summaryOf(lagUs),
        answerMs: summaryOf(answerUs),
      },
      deliveries: {
        count: ledger((fleet) => fleet.ledger.delivered),
        lost: lostOf(seen.settled, end.publishers?.refused ?? {}),
        doubled: ledger((fleet) => fleet.ledger.doubles),
        disordered: ledger((fleet) => fleet.ledger.disorder),
        gapsTold: ledger((fleet) => fleet.ledger.gapsTold),
        strays: ledger(({ strays }) => strays),
        behind: seen.settled.reduce((sum, { behind }) => sum + behind, 0),
      },
      cost: costOf(opened, end),
      server: {
        pid,
        memoryBytesAtStart: atStart.server?.memoryBytes ?? null,
        memoryBytesOpened: opened.server?.memoryBytes ?? null,
        connectionsOpened: totalOf(opened.fleets, ({ ready }) => ready),
        memoryBytesMax: this.#memoryMax === 0 ? null : this.#memoryMax,
      },
      timeline: this.#timeline,
    };
    const faults = faultsOf(found);
    return { ok: faults.length === 0, faults, ...found };
  }
}

/** Worker processes for so many connections: as many as there are cores to spare, and as descriptors ask for. */
export function workersFor(connections: number, descriptorsMax: number | null): number {
  const each = Math.max(1000, (descriptorsMax ?? 1_000_000) - DESCRIPTORS_SPARE);
  const spare = Math.max(1, availableParallelism() - 1);
  return Math.min(64, Math.max(Math.min(spare, Math.ceil(connections / 500)), Math.ceil(connections / each)));
}

const DESCRIPTORS_SPARE = 200;

interface Sample {
  readonly atMs: number;
  readonly fleets: readonly FleetSample[];
  readonly publishers: PublishersSample | null;
  readonly server: ServerUse | null;
}

interface Seen {
  readonly startedAt: string;
  readonly atStart: Sample;
  readonly opened: Sample;
  readonly allOpened: boolean;
  readonly held: Sample;
  readonly end: Sample;
  readonly settled: readonly Settled[];
}

function momentOf(sample: Sample, before: Sample | null, latencyUs: Histogram): Moment {
  const seconds = Math.max(1e-3, (sample.atMs - (before?.atMs ?? 0)) / 1000);
  const rate = (of: (each: Sample) => number): number =>
    before === null ? 0 : (of(sample) - of(before)) / seconds;
  const ms = (us: number | null): number | null => (us === null ? null : us / 1000);
  const published = sample.publishers?.published ?? 0;
  return {
    atMs: sample.atMs,
    connections: totalOf(sample.fleets, ({ ready }) => ready),
    published,
    publishedPerSecond: rate(({ publishers }) => publishers?.published ?? 0),
    deliveriesPerSecond: rate(deliveriesOf),
    latencyP50Ms: ms(latencyUs.percentile(50)),
    latencyP99Ms: ms(latencyUs.percentile(99)),
    latencyMaxMs: latencyUs.count === 0 ? null : latencyUs.max / 1000,
    serverCpuPercent:
      sample.server === null || before?.server == null
        ? null
        : rate(({ server }) => server?.cpuUs ?? 0) / 1e4,
    loadCpuPercent: rate((each) => subscribersCpuUs(each) + (each.publishers?.cpuUs ?? 0)) / 1e4,
    serverMemoryBytes: sample.server?.memoryBytes ?? null,
  };
}

function costOf(from: Sample, to: Sample): LoadReport["cost"] {
  const count = deliveriesOf(to) - deliveriesOf(from);
  if (count === 0) return { loadUs: null, subscribersUs: null, serverUs: null, ratio: null };
  const subscribersUs = (subscribersCpuUs(to) - subscribersCpuUs(from)) / count;
  const loadUs = subscribersUs + ((to.publishers?.cpuUs ?? 0) - (from.publishers?.cpuUs ?? 0)) / count;
  const serverUs =
    from.server === null || to.server === null ? null : (to.server.cpuUs - from.server.cpuUs) / count;
  return { loadUs, subscribersUs, serverUs, ratio: serverUs ? loadUs / serverUs : null };
}

function deliveriesOf({ fleets }: Sample): number {
  return totalOf(fleets, ({ ledger }) => ledger.delivered);
}

function subscribersCpuUs({ fleets }: Sample): number {
  return totalOf(fleets, ({ cpuUs }) => cpuUs);
}
