import type { Clock } from "#base/clock.ts";
import { ask } from "./ask.ts";
import type { Broken } from "./checks.ts";
import { checkBreaches, checkSample } from "./checks.ts";
import { sampleOutside } from "./descriptors.ts";
import type { Fleet } from "./fleet.ts";
import { emptyTally, type FleetReport, type FleetTally } from "./fleet-tally.ts";
import { Metrics } from "./metrics-text.ts";
import type { PhaseKind } from "./plan.ts";
import type { Publisher } from "./publisher.ts";
import type { Sample, Totals } from "./sample.ts";
import type { Station } from "./station.ts";
import type { Upstream } from "./upstream.ts";

export interface WatchParts {
  readonly station: Station;
  readonly fleet: Fleet;
  readonly upstream: Upstream;
  readonly publisher: Publisher;
  readonly clock: Clock;
  /** What an earlier sitting of the run has counted. */
  readonly before: Totals | null;
  /** Called for each promise that is found broken. */
  readonly broken: (broken: Broken) => void;
}

/**
 * From one count of a class's objects to the next, in milliseconds: it stops the gateway for half a second, and for many on
 * a machine that is busy, where looks that only count would be too few.
 */
const COUNT_REST_MS = 9000;
const METRICS_MS_MAX = 20_000;

/** Looks at every part of a soak and sums up its lives. */
export class Watch {
  readonly #parts: WatchParts;
  #counts = 0;
  #nextCountMs = 0;
  #last: Sample | undefined;
  #fleet: FleetReport = { tally: emptyTally(), breaches: [], visitors: 0, witnesses: 0 };
  /** Of the lives that are over. */
  #opened = 0;
  #closed = 0;
  #gaps = 0;
  /** Of this life so far. */
  #lifeOpened = 0;
  #lifeClosed = 0;
  #lifeGaps = 0;
  #overstayed = 0;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** What clients have reported last. */
  get fleet(): FleetReport {
    return this.#fleet;
  }

  get last(): Sample | undefined {
    return this.#last;
  }

  /** Asks the clients, and has what they tell checked. */
  async askFleet(): Promise<FleetReport> {
    const { fleet, publisher, broken } = this.#parts;
    this.#fleet = await fleet.report();
    const unsure = new Map([[publisher.topic, publisher.unsure]]);
    for (const one of checkBreaches(this.#fleet.breaches, unsure)) broken(one);
    const { silentOverstayed } = this.#fleet.tally;
    if (silentOverstayed > this.#overstayed) {
      this.#overstayed = silentOverstayed;
      broken({ promise: "liveness", detail: `${silentOverstayed} silent clients were not sent away` });
    }
    return this.#fleet;
  }

  /** One sample, checked. Null between two lives, or when the life ended meanwhile. */
  async sample(atMs: number, phase: PhaseKind): Promise<Sample | null> {
    const { station, clock, upstream, broken } = this.#parts;
    const { gateway, door } = station;
    if (gateway === null || door === null || !gateway.isRunning) return null;
    const outside = sampleOutside(gateway.pid);
    const life = station.lives;
    const lifeMs = station.lifeMs;
    const { isTls } = station;
    const beganMs = clock.monotonicMs();
    const isCounting = atMs >= this.#nextCountMs;
    const inside = await gateway.sample(isCounting ? this.#counts++ : null);
    if (isCounting) this.#nextCountMs = atMs + clock.monotonicMs() - beganMs + COUNT_REST_MS;
    const { body } = await ask(door, "GET", "/metrics", null, METRICS_MS_MAX, clock);
    const metrics = new Metrics(body);
    await this.askFleet();
    this.#lifeOpened = inside.opened;
    this.#lifeClosed = inside.closed;
    this.#lifeGaps = metrics.sum("streamkeeper_feed_gaps_total");
    this.#checkMetrics(metrics);
    const sample: Sample = {
      kind: "sample",
      atMs,
      phase,
      life,
      lifeMs,
      isTls,
      totals: this.totals(),
      inside,
      outside,
      metrics: {
        connections: metrics.sum("streamkeeper_connections"),
        links: metrics.sum("streamkeeper_links"),
        reclaimed: metrics.sum("streamkeeper_sweep_reclaimed_total"),
        memoryStep: metrics.sum("streamkeeper_memory_step"),
        queueBytes: metrics.sum("streamkeeper_queue_bytes"),
        logBytes: metrics.sum("streamkeeper_log_bytes"),
      },
      links: upstream.sample().streams,
      visitors: this.#fleet.visitors,
      witnesses: this.#fleet.witnesses,
    };
    for (const one of checkSample(sample, this.#last)) broken(one);
    this.#last = sample;
    return sample;
  }

  /** A life is over. All that it opened is closed. */
  lifeEnded(): void {
    this.#opened += this.#lifeOpened;
    this.#closed += this.#lifeOpened;
    this.#gaps += this.#lifeGaps;
    this.#lifeOpened = 0;
    this.#lifeClosed = 0;
    this.#lifeGaps = 0;
    this.#last = undefined;
  }

  totals(): Totals {
    const { upstream, publisher, before } = this.#parts;
    const { head, faults } = upstream.sample();
    // What an earlier sitting had opened was closed with its gateway.
    return {
      opened: this.#opened + this.#lifeOpened + (before?.opened ?? 0),
      closed: this.#closed + this.#lifeClosed + (before?.opened ?? 0),
      faults: Object.values(faults).reduce((sum, count) => sum + count, 0) + (before?.faults ?? 0),
      events: head + (before?.events ?? 0),
      published: publisher.confirmed + (before?.published ?? 0),
      gapsUpstream: this.#gaps + this.#lifeGaps + (before?.gapsUpstream ?? 0),
      fleet: addTallies(this.#fleet.tally, before?.fleet ?? emptyTally()),
    };
  }

  /** The same books by the front door: all values of a scrape are of one moment. */
  #checkMetrics(metrics: Metrics): void {
    const opened = metrics.sum("streamkeeper_connections_opened_total");
    const closed = metrics.sum("streamkeeper_connections_closed_total");
    const open = metrics.sum("streamkeeper_connections");
    const reasons = metrics.by("streamkeeper_connections_closed_total", "reason");
    if (opened - closed !== open)
      this.#parts.broken({
        promise: "books",
        detail: `/metrics: ${opened} opened less ${closed} closed is not ${open} open`,
      });
    if ("" in reasons)
      this.#parts.broken({ promise: "books", detail: `/metrics: ${reasons[""]} ends without a reason` });
  }
}

function addTallies(a: FleetTally, b: FleetTally): FleetTally {
  return {
    begun: a.begun + b.begun,
    letIn: a.letIn + b.letIn,
    over: a.over + b.over,
    events: a.events + b.events,
    returns: a.returns + b.returns,
    told: a.told + b.told,
    crossed: a.crossed + b.crossed,
    lost: a.lost + b.lost,
    repeated: a.repeated + b.repeated,
    silentSentAway: a.silentSentAway + b.silentSentAway,
    silentOverstayed: a.silentOverstayed + b.silentOverstayed,
    cuts: addCounts(a.cuts, b.cuts),
    refusals: addCounts(a.refusals, b.refusals),
  };
}

function addCounts(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  const sum = { ...a };
  for (const [key, count] of Object.entries(b)) sum[key] = (sum[key] ?? 0) + count;
  return sum;
}
