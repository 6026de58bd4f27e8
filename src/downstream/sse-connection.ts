import type { Identity } from "#auth/identity.ts";
import { mayReceive, maySubscribe } from "#auth/policy.ts";
import type { EventSink, Gap, HubEvent, LogReader, Subscription } from "#hub/hub.ts";
import { TopicRefused } from "#hub/hub.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { WireFormat } from "#protocol/event.ts";
import type { SubscribeRequest } from "#protocol/mercure-subscribe.ts";
import { encodeSseComment, encodeSseRetry } from "#protocol/sse-encode.ts";
import type { TopicMatcher } from "#protocol/topic-matcher.ts";
import type { ByteSink } from "./byte-sink.ts";
import { Connection } from "./connection.ts";
import type { Desk } from "./desk.ts";
import { RefusalCode } from "./mercure-refusal.ts";
import { gapFrame, heartbeatFrame, liveFrame, openingFrame, stateFrame } from "./sse-frames.ts";
import { feedGapFrame } from "./sse-gap.ts";
import { startOf } from "./sse-resume.ts";

/** Bytes of replayed events that are queued at a time; more are read when the socket has taken them. */
const REPLAY_BYTES = 64 * 1024;
/** Events looked at in one turn while replaying, so that who may see few of them holds up nobody else. */
const REPLAY_EVENTS = 1000;
/** The wheel is late by up to two ticks, and a stream must not outlive its token. */
const EXPIRY_EARLY_MS = 250;
/** Window from which a client's reconnection time is drawn, in milliseconds: those cut together come back apart. */
const RETRY_MS = { min: 1000, max: 3000 } as const;
/** The same for those whom the gateway sends away. */
const RETRY_SENT_AWAY_MS = { min: 1000, max: 10_000 } as const;
/** The same for those whose feed is full. */
const RETRY_FEED_FULL_MS = { min: 5000, max: 30_000 } as const;

/**
 * One SSE client (Mercure, "Subscription").
 *
 *     opened ──> states ──> replaying ──the reader has no more──> live ──close(reason)──> closed
 *        └──────────────nothing to resume, few states────────────^
 *
 * It is subscribed from the start. While it is sent states in pieces, or replays, live events are not taken, since the reader will come to them;
 * when the reader has no more, the client is live from that moment on: nothing falls between, nothing comes twice.
 */
export class SseConnection extends Connection implements EventSink {
  #subscriptions: Subscription[] = [];
  #reader: LogReader | null = null;
  /** Sequence of the last event that was queued, or of the stream's start. */
  #reached = 0;
  /** While replaying: topics whose state was sent, and the sequence that it holds good for. */
  #stateThrough: Map<string, number> | null = null;
  /** Topics whose states are still to be sent, before anything is replayed; null: none. */
  #statesLeft: readonly TopicMatcher[] | null = null;
  #heartbeatEvents = false;
  /** What it is subscribed to. */
  matchers: readonly TopicMatcher[] = [];

  constructor(desk: Desk, sink: ByteSink, address: string, identity: Identity) {
    super(desk, sink, "sse", address, identity);
  }

  get subscriberCount(): number {
    return this.#subscriptions.length;
  }

  /**
   * Subscribes and begins the stream. Called once, in the turn of the construction.
   *
   * @param headOf the response's head, given the field `Mercure-Last-Event-ID` (null: none)
   */
  open(request: SubscribeRequest, headOf: (lastEventId: string | null) => Buffer): void {
    const { hub, counters, random, heartbeat } = this.desk;
    this.#heartbeatEvents = request.heartbeatEvents;
    if (!this.#subscribe(request.matchers)) {
      this.enqueue(
        Buffer.concat([headOf(null), encodeSseComment(`${RefusalCode.feed_full}: come back later`)]),
      );
      counters.errors.add(RefusalCode.feed_full);
      this.close(CloseReason.feed_full);
      return;
    }
    this.matchers = request.matchers;
    const start = startOf(hub, request);
    this.#reader = start.reader;
    this.#reached = start.afterSequence;
    const frames: Buffer[] = [];
    if (start.kind === "recovered" || start.kind === "unrecovered") counters.resumes.add(`sse:${start.kind}`);
    if (start.kind === "unrecovered") frames.push(gapFrame(hub, request, start.afterSequence));
    if (start.kind === "unrecovered" || start.kind === "fresh") this.#addStates(request.matchers, frames);
    if (this.#statesLeft !== null) {
      this.#reader ??= hub.openReader(request.matchers, this.#reached);
      while (this.#reader === null && this.#statesLeft !== null) this.#addStates(this.#statesLeft, frames);
    }
    const retryMs = within(RETRY_MS, random());
    const isWhole = frames.length === 0;
    frames.unshift(
      headOf(start.lastEventId),
      openingFrame(hub, retryMs, isWhole ? start.afterSequence : null),
    );
    if (!isWhole && this.#statesLeft === null) frames.push(liveFrame(hub, start.afterSequence));
    this.enqueue(Buffer.concat(frames));
    this.desk.subscriptions.add(this);
    // The first one is spread, so that clients that came together do not have their heartbeats together for ever.
    this.#arm(heartbeat.intervalMs * (0.5 + random() / 2));
  }

  /** One stream can't lose a part of its topics, so it ends as a whole; who comes back is told what is not permitted. */
  override authorise(identity: Identity): void {
    super.authorise(identity);
    this.desk.subscriptions.renew(this);
    const denied = this.#subscriptions.find(
      ({ selector }) => !maySubscribe(identity, selector, this.desk.access),
    );
    if (denied !== undefined) {
      this.close(CloseReason.permission_denied, `it may no longer subscribe to ${denied.selector.pattern}`);
    }
  }

  /** Called by the hub, within `publish`. */
  deliver(event: HubEvent, subscription: Subscription): void {
    // An event of several topics, or of overlapping selectors, comes more than once.
    if (this.#reader !== null || event.sequence <= this.#reached) return;
    if (!mayReceive(this.identity, event, subscription.selector, this.desk.access)) return;
    this.#reached = event.sequence;
    this.deliverLive(event.frame(WireFormat.sse, event.topics[0]), event, event.topics[0]);
  }

  /** Called by the hub. While it replays, its reader finds out by itself, and the client is told when it comes back. */
  gap(gap: Gap): void {
    if (this.#reader !== null) return;
    const frame = feedGapFrame(this.desk, this.identity, gap);
    if (frame === null) return;
    this.#reached = gap.sequence;
    this.enqueue(frame);
  }

  override onWheel(): void {
    this.keepAlive();
    const { clock, heartbeat, hub } = this.desk;
    const { expiresAtMs } = this.identity;
    if (expiresAtMs !== null && clock.nowMs() >= expiresAtMs - EXPIRY_EARLY_MS) {
      this.close(CloseReason.token_expired);
    } else if (this.untilOldMs <= 0) {
      this.close(CloseReason.too_old);
    } else if (this.isStalled) {
      this.close(CloseReason.slow_consumer, "the socket took nothing for heartbeat.timeout");
    } else if (this.sink.writableNeedDrain) {
      // Nobody would see a heartbeat; whether it is stalled must be looked at soon.
      this.#arm(Math.min(heartbeat.intervalMs, this.stalledInMs));
    } else {
      // A client that is cut between states must get all of them again.
      const reached = this.#statesLeft !== null ? 0 : (this.#reader?.position ?? hub.head);
      this.enqueue(heartbeatFrame(hub, reached, this.#heartbeatEvents));
      this.#arm(heartbeat.intervalMs);
    }
  }

  protected override onBlocked(): void {
    this.#arm(this.stalledInMs);
  }

  protected override onWritable(): void {
    if (this.#reader !== null) this.#replay(this.#reader);
  }

  protected override goodbye(reason: CloseReason): Buffer | null {
    if (!SENT_AWAY.has(reason)) return null;
    const window = reason === CloseReason.feed_full ? RETRY_FEED_FULL_MS : RETRY_SENT_AWAY_MS;
    return encodeSseRetry(within(window, this.desk.random()));
  }

  protected override release(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    this.#subscriptions = [];
    this.desk.subscriptions.remove(this);
    this.#reader = null;
    this.#stateThrough = null;
    this.#statesLeft = null;
  }

  /** All or nothing: a stream that lacks one of its topics would lose that one silently. */
  #subscribe(matchers: readonly TopicMatcher[]): boolean {
    try {
      for (const matcher of matchers) this.#subscriptions.push(this.desk.hub.subscribe(this, matcher));
      return true;
    } catch (error) {
      if (error instanceof TopicRefused) return false;
      throw error;
    }
  }

  #replay(reader: LogReader): void {
    if (this.#statesLeft !== null) {
      if (this.queuedBytes >= REPLAY_BYTES) return;
      const frames: Buffer[] = [];
      this.#addStates(this.#statesLeft, frames);
      for (const frame of frames) this.enqueue(frame);
      if (this.#statesLeft !== null) return;
      this.enqueue(liveFrame(this.desk.hub, this.#reached));
    }
    for (let looked = 0; looked < REPLAY_EVENTS; looked++) {
      if (this.queuedBytes >= REPLAY_BYTES) return;
      const event = reader.next();
      if (event === null) {
        if (reader.lost) {
          this.close(CloseReason.insufficient_state);
        } else {
          this.#reader = null;
          this.#stateThrough = null;
        }
        return;
      }
      this.#reached = event.sequence;
      if (this.#wants(event)) this.deliverFrame(event.frame(WireFormat.sse, event.topics[0]));
    }
    this.requestFlush();
  }

  /** Every replayed event is authorised again (Mercure, "Reconciliation"), by a selector that would have brought it. */
  #wants(event: HubEvent): boolean {
    const { access } = this.desk;
    for (const { selector } of this.#subscriptions) {
      for (const topic of event.topics) {
        if (!selector.matches(topic) || (this.#stateThrough?.get(topic) ?? 0) >= event.sequence) continue;
        if (mayReceive(this.identity, event, selector, access)) return true;
      }
    }
    return false;
  }

  /**
   * The states of the topics that are named exactly, so that a quote is there before its next change: as many as are sent
   * at a time, and at least one.
   */
  #addStates(matchers: readonly TopicMatcher[], frames: Buffer[]): void {
    const { hub, access } = this.desk;
    this.#statesLeft = null;
    let bytes = 0;
    for (const [index, matcher] of matchers.entries()) {
      if (bytes >= REPLAY_BYTES) {
        this.#statesLeft = matchers.slice(index);
        return;
      }
      if (matcher.type !== "exact") continue;
      const state = hub.stateOf(matcher.pattern);
      if (state === null || !mayReceive(this.identity, state, matcher, access)) continue;
      const frame = stateFrame(hub, state);
      bytes += frame.length;
      frames.push(frame);
      this.desk.counters.deliveries.sse++;
      if (this.#reader === null) continue;
      this.#stateThrough ??= new Map();
      this.#stateThrough.set(matcher.pattern, state.sequence);
    }
  }

  #arm(delayMs: number): void {
    const { wheel, clock } = this.desk;
    const { expiresAtMs } = this.identity;
    const leftMs =
      expiresAtMs === null ? Number.POSITIVE_INFINITY : expiresAtMs - EXPIRY_EARLY_MS - clock.nowMs();
    wheel.arm(this, Math.max(0, Math.min(delayMs, leftMs, this.untilOldMs)));
  }
}

/** Ends after which a client should come back, and not all at once. */
const SENT_AWAY: ReadonlySet<CloseReason> = new Set([
  CloseReason.shutdown,
  CloseReason.forced_reconnect,
  CloseReason.too_old,
  CloseReason.memory_pressure,
  CloseReason.feed_full,
  CloseReason.insufficient_state,
  CloseReason.server_error,
]);

function within(window: { readonly min: number; readonly max: number }, share: number): number {
  return window.min + share * (window.max - window.min);
}
