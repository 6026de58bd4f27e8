import type { Identity } from "#auth/identity.ts";
import { mayReceive } from "#auth/policy.ts";
import type { EventSink, Hub, HubEvent, LogReader, Subscription } from "#hub/hub.ts";
import type { CloseReason } from "#protocol/close-reason.ts";
import { WireFormat } from "#protocol/event.ts";
import type { TopicMatcher } from "#protocol/topic-matcher.ts";
import type { Desk } from "./desk.ts";

/** What a session sees of its connection. */
export interface SessionClient {
  readonly id: string;
  readonly address: string;
  readonly identity: Identity;
  /** Why it ended; null while it is open. */
  readonly closed: CloseReason | null;
  /** Bytes that wait for it, here and in its socket. */
  readonly queuedBytes: number;
  /** Queues a frame that is no event. */
  enqueue(frame: Buffer): void;
  /** Queues an event's frame. */
  deliverFrame(frame: Buffer): void;
  /** Queues a live event's frame, or the state of its topic for a client that is behind. */
  deliverLive(frame: Buffer, event: HubEvent, topic: string): void;
  /** The connection signed in, or in anew. */
  identify(identity: Identity): void;
  /** The session's time changed: pings, expiry. */
  rearm(): void;
  /** Has the session's `goOn` called as soon as the socket takes bytes, in a later turn. */
  requestReplay(): void;
  /** Events of the topic are missing: unsubscribes it so that the client subscribes anew. */
  loseTopic(topic: string): void;
  close(reason: CloseReason, detail?: string): void;
}

/** What may still be read in one go. Bytes are passed by at most one event. */
export interface ReadBudget {
  events: number;
  bytes: number;
}

/**
 * One client's subscription to one topic: what it missed first, then live events. While a reader is open live events
 * are ignored, since the reader will come upon them; when it has nothing more the channel is live within the same
 * turn, so nothing falls between and nothing comes twice.
 */
export class Channel implements EventSink {
  readonly client: SessionClient;
  readonly matcher: TopicMatcher;
  readonly #hub: Hub;
  readonly #access: Desk["access"];
  #subscription: Subscription | null = null;
  #reader: LogReader | null = null;
  #coversPrivate = false;

  constructor(desk: Desk, client: SessionClient, matcher: TopicMatcher) {
    this.client = client;
    this.matcher = matcher;
    this.#hub = desk.hub;
    this.#access = desk.access;
  }

  get topic(): string {
    return this.matcher.pattern;
  }

  /** True while it still reads what the client missed. */
  get isReplaying(): boolean {
    return this.#reader !== null;
  }

  /** True once events that it was still to read were let go by the log. */
  get isLost(): boolean {
    return this.#reader?.lost === true;
  }

  /** Attaches to live events. */
  open(): void {
    this.authorise();
    this.#subscription = this.#hub.subscribe(this, this.matcher);
  }

  /** The client's identity changed. An identity that covers the topic needs no look at each event. */
  authorise(): void {
    const { identity } = this.client;
    this.#coversPrivate = identity.kind !== "anonymous" && identity.subscribe.covers(this.topic);
  }

  /** Reads from a position on, before anything live. False: the log can't vouch for being complete since then. */
  resume(afterSequence: number): boolean {
    this.#reader = this.#hub.openReader([this.matcher], afterSequence);
    return this.#reader !== null;
  }

  /** The next frames of what was missed. Fewer than the budget allows: the channel is live now, or lost. */
  read(budget: ReadBudget): Buffer[] {
    const frames: Buffer[] = [];
    while (this.#reader !== null && budget.events > 0 && budget.bytes > 0) {
      const event = this.#reader.next();
      if (event === null) {
        if (!this.#reader.lost) this.#reader = null;
        break;
      }
      budget.events--;
      if (!this.#mayReceive(event)) continue;
      const frame = this.frameOf(event);
      budget.bytes -= frame.length;
      frames.push(frame);
    }
    return frames;
  }

  /** The topic's state as a frame; null when there is none, or none for this identity. */
  stateFrame(): Buffer | null {
    const state = this.#hub.stateOf(this.topic);
    return state !== null && this.#mayReceive(state) ? this.frameOf(state) : null;
  }

  frameOf(event: HubEvent): Buffer {
    return event.frame(WireFormat.centrifugeJson, this.topic);
  }

  deliver(event: HubEvent): void {
    if (this.#reader === null && this.#mayReceive(event)) {
      this.client.deliverLive(this.frameOf(event), event, this.topic);
    }
  }

  /** Called by the hub. While it replays, its reader finds out by itself. */
  gap(): void {
    if (this.#reader === null) this.client.loseTopic(this.topic);
  }

  close(): void {
    this.#reader = null;
    this.#subscription?.close();
    this.#subscription = null;
  }

  #mayReceive(event: HubEvent): boolean {
    if (!event.private || this.#coversPrivate) return true;
    return mayReceive(this.client.identity, event, this.matcher, this.#access);
  }
}
