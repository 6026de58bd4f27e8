import type { Clock, Timer } from "#base/clock.ts";
import { Tally } from "#base/counters.ts";
import { messageOf } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Random } from "#base/random.ts";
import type { Dial, Dialer, DialFailure, DialRequest } from "./dialer.ts";
import { redactUrl } from "./dialer.ts";
import { EventStream, type StreamEvent } from "./event-stream.ts";
import type { FeedCounters } from "./feed-counters.ts";
import {
  type LinkAction,
  type LinkInput,
  type LinkLife,
  type LinkLifeSettings,
  type LinkState,
  newLinkLife,
  nextAttemptAtMs,
  stepLinkLife,
} from "./link-life.ts";
import { LINK_REASONS, type LinkReason } from "./link-reason.ts";
import type { LinkFailure, LinkObserver, LinkStats } from "./ports.ts";
import type { QuietLog } from "./quiet-log.ts";

/** What a link asks of its owner and tells it. */
export interface LinkOwner {
  /** What to ask for, at the moment of the dial. `attempt`: failures since the link was last healthy. */
  request(link: Link, attempt: number): DialRequest;
  event(link: Link, event: StreamEvent): void;
  /** A stream is open. `resumed`: it was asked to continue after an event id. */
  opened(link: Link, resumed: boolean): void;
  /** One event is passed over, or not all of it was taken, for this reason: the link goes on after it. */
  skipped(link: Link, reason: LinkReason): void;
  /** A stream, or an attempt at one, is over; what follows stands in `link.state`. */
  over(link: Link, reason: LinkReason, wasOpen: boolean): void;
  aged(link: Link): void;
  /** The link's time to try again has come: how much longer it has to wait all the same, in milliseconds. */
  holdBackMs(link: Link): number;
}

export interface LinkContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** For failures, which may come in storms. */
  readonly quietLog: QuietLog;
  readonly dialer: Dialer;
  readonly counters: FeedCounters;
  readonly feed: string;
  readonly observer?: LinkObserver | null;
}

/**
 * One upstream SSE connection, kept alive: performs what `link-life` decides. One timer, one socket, one stream.
 * `open()` starts it, `destroy(reason)` ends it for good.
 */
export class Link {
  readonly id: number;
  /** Where the stream stands: the next dial resumes after it. "" when there is nothing to resume from. */
  lastEventId = "";
  readonly #owner: LinkOwner;
  readonly #context: LinkContext;
  readonly #settings: LinkLifeSettings;
  readonly #eventBytesMax: number;
  #life: LinkLife;
  #timer: Timer | null = null;
  #dial: Dial | null = null;
  #stream: EventStream | null = null;
  #lastByteAtMs: number | null = null;
  /** Where the stream stood when an event was too large; null: none was since. */
  #tooLargeAfter: string | null = null;
  #events = 0;
  #bytes = 0;
  #resets = 0;
  readonly #reconnects = new Tally<LinkReason>();
  #lastFailure: LinkFailure | null = null;
  /** Why the last stream or attempt ended; null before the first has. */
  #lastReason: LinkReason | null = null;

  constructor(
    id: number,
    owner: LinkOwner,
    context: LinkContext,
    settings: LinkLifeSettings & { readonly health: { readonly eventBytesMax: number } },
  ) {
    this.id = id;
    this.#owner = owner;
    this.#context = context;
    this.#settings = settings;
    this.#eventBytesMax = settings.health.eventBytesMax;
    this.#life = newLinkLife(settings);
  }

  get state(): LinkState {
    return this.#life.state;
  }

  /** Why it failed last, for a log line. */
  get lastFailureInShort(): { readonly reason?: LinkReason; readonly message?: string } {
    return this.#lastFailure === null
      ? {}
      : { reason: this.#lastFailure.reason, message: this.#lastFailure.message };
  }

  /** Starts it, or asks a feed that wanted no reconnection anew. */
  open(): void {
    this.#step({ kind: "want" });
  }

  /** The feed is back: a link that waits tries again within this time. */
  hurry(withinMs: number): void {
    this.#step({ kind: "hurry", withinMs });
  }

  /** The end, at once and for good. Idempotent. */
  destroy(reason: LinkReason): void {
    this.#step({ kind: "stop", reason });
  }

  stats(keys: number, takingOver: boolean): LinkStats {
    const { clock } = this.#context;
    const nowMs = clock.monotonicMs();
    const { state } = this.#life;
    const nextMs = nextAttemptAtMs(state);
    return {
      id: this.id,
      state: state.name,
      stateMs: state.name === "idle" ? 0 : nowMs - state.sinceMs,
      ageMs: state.name === "open" ? nowMs - state.sinceMs : null,
      nextAttemptMs: nextMs === null ? null : Math.max(0, nextMs - nowMs),
      takingOver,
      keys,
      events: this.#events,
      bytes: this.#bytes,
      lastByteMs: this.#lastByteAtMs === null ? null : nowMs - this.#lastByteAtMs,
      resets: this.#resets,
      reconnects: this.#reconnects.total,
      reconnectsByReason: Object.fromEntries(this.#reconnects.entries()),
      lastFailure: this.#lastFailure,
    };
  }

  #step(input: LinkInput): void {
    const { clock, random } = this.#context;
    const [life, actions] = stepLinkLife(this.#life, input, this.#settings, clock.monotonicMs(), random);
    const { name } = this.#life.state;
    // The state first: what the actions call back into must find it.
    this.#life = life;
    if (life.state.name !== name)
      this.#context.observer?.changed(this.#context.feed, this.id, life.state.name);
    for (const action of actions) this.#perform(action);
  }

  #perform(action: LinkAction): void {
    switch (action.do) {
      case "dial":
        this.#start(action.generation);
        return;
      case "abort":
        this.#release();
        this.#note(action.reason, "");
        return;
      case "arm":
        this.#arm(action.atMs);
        return;
      case "disarm":
        this.#timer?.cancel();
        this.#timer = null;
        return;
      case "report":
        this.#report(action.reason, action.wasOpen, action.livedMs);
        return;
      case "aged":
        this.#owner.aged(this);
        return;
    }
  }

  #start(generation: number): void {
    const { counters, dialer, log, feed } = this.#context;
    const { state } = this.#life;
    const attempt = state.name === "connecting" ? state.attempt : 0;
    const request = this.#owner.request(this, attempt);
    counters.dials++;
    if (this.#lastReason !== null) {
      counters.reconnects.add(this.#lastReason);
      this.#reconnects.add(this.#lastReason);
    }
    log.debug({ feed, link: this.id, attempt, url: redactUrl(request.url) }, "link dials");
    this.#stream = new EventStream(request.lastEventId, this.#eventBytesMax, {
      event: (event) => this.#event(event),
      retry: (retryMs) => this.#step({ kind: "retry", generation, retryMs }),
      tooLarge: () => this.#tooLarge(generation),
    });
    this.lastEventId = request.lastEventId;
    this.#dial = dialer.dial(request, {
      opened: () => this.#opened(generation, request.lastEventId !== ""),
      data: (chunk) => this.#data(generation, chunk),
      failed: (failure) => this.#fail(generation, failure),
    });
  }

  #opened(generation: number, resumed: boolean): void {
    this.#lastByteAtMs = this.#context.clock.monotonicMs();
    this.#step({ kind: "opened", generation });
    this.#context.log.info({ feed: this.#context.feed, link: this.id, resumed }, "link open");
    this.#owner.opened(this, resumed);
  }

  #data(generation: number, chunk: Buffer): void {
    // A time stamp, and not a timer set anew: the timer looks at it when it is due.
    this.#lastByteAtMs = this.#context.clock.monotonicMs();
    this.#bytes += chunk.length;
    this.#context.counters.bytes += chunk.length;
    const stream = this.#stream;
    if (stream === null) return;
    try {
      stream.push(chunk);
    } catch (error) {
      this.#broken(generation, stream, error);
      return;
    }
    // Blocks without data move the id on as well, and are not handed out.
    if (stream === this.#stream) this.lastEventId = stream.lastEventId;
  }

  #event(event: StreamEvent): void {
    if (this.#stream === null) return;
    this.#events++;
    this.lastEventId = this.#stream.lastEventId;
    this.#owner.event(this, event);
  }

  /**
   * A fault of our own, while an event was taken. It must neither end the process nor lose the event silently; asked for
   * again, the event would most likely do the same again.
   */
  #broken(generation: number, stream: EventStream, error: unknown): void {
    const failure = { reason: "internal", message: messageOf(error), retryAfterMs: null } as const;
    const noteFault = (message: string) =>
      this.#context.log.error(
        { feed: this.#context.feed, link: this.id, err: message },
        "a fault of the gateway's own",
      );
    noteFault(failure.message);
    stream.end();
    const steps = [
      () => this.#owner.skipped(this, "internal"),
      () => stream === this.#stream && this.#fail(generation, failure),
    ];
    // Each by itself: any of them may meet the same fault, where it publishes what was held back.
    for (const step of steps) {
      try {
        step();
      } catch (again) {
        noteFault(messageOf(again));
      }
    }
  }

  /** A feed that replays would bring the same event again and again: the second time it is passed over. */
  #tooLarge(generation: number): void {
    const { lastEventId: after = "", unfinishedId: own = "" } = this.#stream ?? {};
    const isAgain = after !== "" && after === this.#tooLargeAfter;
    this.#tooLargeAfter = isAgain ? null : after;
    // Without an id of its own the stream is joined anew where it is then: the gap is told when it opens.
    this.lastEventId = isAgain ? own : after;
    this.#fail(generation, { reason: "event_too_large", message: "", retryAfterMs: null });
    if (isAgain && own !== "") this.#owner.skipped(this, "event_too_large");
  }

  #fail(generation: number, failure: DialFailure): void {
    this.#release();
    this.#note(failure.reason, failure.message);
    this.#step({ kind: "failed", generation, reason: failure.reason, retryAfterMs: failure.retryAfterMs });
  }

  /** Destroys the socket and makes the stream deaf. The last event id stays. */
  #release(): void {
    const stream = this.#stream;
    const dial = this.#dial;
    this.#stream = null;
    this.#dial = null;
    stream?.end();
    dial?.destroy();
  }

  #note(reason: LinkReason, message: string): void {
    if (LINK_REASONS[reason].verdict === "own") return;
    this.#lastFailure = { reason, message, atMs: this.#context.clock.nowMs() };
  }

  #report(reason: LinkReason, wasOpen: boolean, livedMs: number): void {
    const { counters, feed, log, quietLog } = this.#context;
    this.#lastReason = reason;
    if (reason === "reset") {
      counters.resets++;
      this.#resets++;
    }
    if (wasOpen) {
      counters.drops.add(reason);
      counters.lifetimes.observe(livedMs / 1000);
    }
    const nextMs = nextAttemptAtMs(this.#life.state);
    const fields = {
      feed,
      link: this.id,
      reason,
      wasOpen,
      livedMs: Math.round(livedMs),
      state: this.#life.state.name,
      nextAttemptMs: nextMs === null ? null : Math.round(nextMs - this.#context.clock.monotonicMs()),
      message: this.#lastFailure?.reason === reason ? this.#lastFailure.message : undefined,
    };
    if (LINK_REASONS[reason].verdict === "own") log.info(fields, "link closed");
    else {
      quietLog.warn(reason, fields, wasOpen ? "link lost" : "link not opened");
      this.#context.observer?.failed(feed, reason, fields.message ?? "");
    }
    this.#owner.over(this, reason, wasOpen);
  }

  #arm(atMs: number): void {
    const { clock } = this.#context;
    this.#timer?.cancel();
    this.#timer = clock.after(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#timer = null;
      const nowMs = clock.monotonicMs();
      const { state } = this.#life;
      const holdMs = state.name === "waiting" && nowMs >= state.untilMs ? this.#owner.holdBackMs(this) : 0;
      if (holdMs > 0) {
        this.#step({ kind: "hold", untilMs: nowMs + holdMs });
        return;
      }
      const phase = this.#dial?.phase ?? "dns";
      this.#step({
        kind: "due",
        phase: phase === "open" ? "headers" : phase,
        lastByteMs: this.#lastByteAtMs ?? 0,
      });
    });
  }
}
