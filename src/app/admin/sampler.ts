import type { Clock } from "#base/clock.ts";
import type { Hub } from "#hub/hub.ts";
import type { ErrorGroups } from "#ops/error-groups.ts";
import { HistoryRings, type Readings } from "#ops/history.ts";
import { LagWindow } from "#ops/lag-window.ts";
import { sum } from "#ops/metric-readings.ts";
import type { Counts, GatewayViews } from "#ops/views.ts";

export interface SamplerParts {
  readonly views: GatewayViews;
  readonly hub: Hub;
  readonly errors: ErrorGroups;
  readonly clock: Clock;
}

/** What a second found beside history's readings. */
export interface Moment {
  readonly readings: Readings;
  readonly lagP50Ms: number | null;
  readonly lagP99Ms: number | null;
  readonly links: Readonly<Record<string, number>>;
  readonly queuedBytes: number;
}

/** Looks at the gateway once a second, and puts what it finds into history. The overview is the same look, whenever it is asked for. */
export class Sampler {
  readonly history = new HistoryRings();
  readonly #parts: SamplerParts;
  readonly #lag = new LagWindow();
  #cpu = process.cpuUsage();
  #lookedAtMs: number;
  #last: Moment;
  /** Failures that nobody reports one by one, at the last look: a feed that replaces another counts from nought, in tallies of its own. */
  readonly #counted = new WeakMap<Counts, Map<string, number>>();

  constructor(parts: SamplerParts) {
    this.#parts = parts;
    this.#lookedAtMs = parts.clock.monotonicMs();
    this.#last = this.#look(0);
  }

  /** What is now; the shares of time are those of the last second. */
  now(): Moment {
    return this.#look(this.#last.readings.cpu);
  }

  /** To be called every second. */
  tick(): void {
    const { clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const spent = process.cpuUsage(this.#cpu);
    const passedMs = nowMs - this.#lookedAtMs;
    this.#cpu = process.cpuUsage();
    this.#lookedAtMs = nowMs;
    this.#lag.look(this.#parts.views.deliveryLagS);
    this.#last = this.#look(passedMs > 0 ? (spent.user + spent.system) / 1000 / passedMs : 0);
    this.history.record(this.#last.readings, clock.nowMs());
    this.#noteFailures();
  }

  #look(cpu: number): Moment {
    const { views, hub } = this.#parts;
    const { open, subscribers, queuedBytes } = views.connections();
    const { downstream, deliveryLagS } = views;
    const lagMs = (share: number) => {
      const seconds = this.#lag.percentile(deliveryLagS, share);
      return seconds === null ? null : seconds * 1000;
    };
    const links: Record<string, number> = {};
    const past = views.pastFeeds();
    let feedEvents = past.events;
    let reconnects = sum(past.reconnects);
    let gaps = past.gaps;
    let feedFaults = sum(past.faults);
    for (const feed of views.feeds()) {
      feedEvents += feed.counters.events;
      reconnects += sum(feed.counters.reconnects);
      gaps += feed.counters.gaps;
      feedFaults += sum(feed.counters.faults);
      for (const { state } of feed.stats().links) links[state] = (links[state] ?? 0) + 1;
    }
    const linksOpen = links.open ?? 0;
    const { rss, heapUsed } = process.memoryUsage();
    const { topics, logBytes } = hub.stats();
    const lagP99Ms = lagMs(0.99);
    return {
      readings: {
        connectionsSse: open.sse ?? 0,
        connectionsWebsocket: open.websocket ?? 0,
        subscribers: Object.values(subscribers).reduce((all, each) => all + each, 0),
        topics,
        opened: sum(downstream.opened),
        closed: sum(downstream.closed),
        resets: downstream.resets.total,
        published: sum(downstream.published) + feedEvents,
        deliveries: Object.values(downstream.deliveries).reduce((all, each) => all + each, 0),
        errors: sum(views.errors) + sum(downstream.errors) + feedFaults,
        authFailures: sum(views.authFailures),
        slowConsumers: sum(downstream.slowConsumers),
        reconnects,
        gaps,
        linksOpen,
        linksNotOpen: Object.values(links).reduce((all, each) => all + each, 0) - linksOpen,
        residentBytes: rss,
        heapBytes: heapUsed,
        queuedBytes,
        logBytes,
        lagP99Ms: lagP99Ms ?? 0,
        cpu,
      },
      lagP50Ms: lagMs(0.5),
      lagP99Ms,
      links,
      queuedBytes,
    };
  }

  /** Refusals and failed sign-ins are counted where they happen; here they become groups. */
  #noteFailures(): void {
    const { views } = this.#parts;
    this.#note("auth", views.authFailures);
    this.#note("downstream", views.downstream.errors);
    for (const { name, counters } of views.feeds()) this.#note("upstream", counters.faults, name);
  }

  #note(room: string, counts: Counts, peer = ""): void {
    const counted = this.#counted.get(counts) ?? new Map<string, number>();
    this.#counted.set(counts, counted);
    for (const [code, count] of counts.entries()) {
      const before = counted.get(code) ?? 0;
      if (count <= before) continue;
      counted.set(code, count);
      const entry = { kind: "error", room, code, peer, sample: "" } as const;
      this.#parts.errors.add(entry, this.#parts.clock.nowMs(), count - before);
    }
  }
}
