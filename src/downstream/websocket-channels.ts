import { maySubscribe } from "#auth/policy.ts";
import { TopicRefused } from "#hub/hub.ts";
import { CentrifugeError, UnsubscribeCode } from "#protocol/centrifuge-codes.ts";
import type { Command } from "#protocol/centrifuge-command.ts";
import {
  encodeReplyWithPublications,
  encodeUnsubscribePush,
  publicationsIn,
} from "#protocol/centrifuge-encode.ts";
import type { Desk } from "./desk.ts";
import { Transport } from "./transport.ts";
import { Channel, type ReadBudget, type SessionClient } from "./websocket-channel.ts";
import { channelMatcher } from "./websocket-channel-name.ts";

/** Most publications in one reply; more of a resume follow as pushes. */
export const REPLY_PUBLICATIONS_MAX = 300;
/** Bytes of publications after which a reply takes no more of them. */
export const REPLY_BYTES_MAX = 64 * 1024;
/** What one connection replays in one turn of the event loop, so that many who resume at once leave room for others. */
const TURN_EVENTS_MAX = 1000;
const TURN_BYTES_MAX = 64 * 1024;

type Subscribe = Extract<Command, { kind: "subscribe" }>;

/** All channels of one session: who is subscribed to what, and what is still replayed. */
export class Channels {
  readonly #desk: Desk;
  readonly #client: SessionClient;
  readonly #channels = new Map<string, Channel>();
  /** Those that still replay; the first is read next. */
  #replaying: Channel[] = [];
  #dismissedAtMs = Number.NEGATIVE_INFINITY;

  constructor(desk: Desk, client: SessionClient) {
    this.#desk = desk;
    this.#client = client;
  }

  get size(): number {
    return this.#channels.size;
  }

  /** When the gateway last ended a subscription, so that the client has to ask anew. */
  get dismissedAtMs(): number {
    return this.#dismissedAtMs;
  }

  /**
   * Subscribes and replies, or answers the error to reply; `full`: every link of the topic's feed is full. The checks' order
   * is the reference server's.
   */
  subscribe(command: Subscribe): CentrifugeError | "full" | null {
    const matcher = channelMatcher(command.channel);
    if (typeof matcher === "number") return matcher;
    if (this.#channels.has(command.channel)) return CentrifugeError.already_subscribed;
    if (this.#channels.size >= this.#desk.limits.subscribersPerConnection) {
      return CentrifugeError.limit_exceeded;
    }
    if (!maySubscribe(this.#client.identity, matcher, this.#desk.access)) {
      return CentrifugeError.permission_denied;
    }
    const channel = new Channel(this.#desk, this.#client, matcher);
    try {
      channel.open();
    } catch (error) {
      if (error instanceof TopicRefused) return "full";
      throw error;
    }
    const recovered = this.#recover(channel, command);
    if (command.since !== null && !recovered && command.rejectUnrecovered) {
      channel.close();
      return CentrifugeError.unrecoverable_position;
    }
    this.#channels.set(command.channel, channel);
    this.#reply(channel, command, recovered);
    return null;
  }

  /** Not to be subscribed is no error: the client has what it asked for. */
  unsubscribe(name: string): void {
    const channel = this.#channels.get(name);
    if (channel !== undefined) this.#remove(channel);
  }

  /** Reads on where clients resume. Called whenever the socket takes bytes. */
  replay(): void {
    if (this.#replaying.length === 0) return;
    const budget: ReadBudget = { events: TURN_EVENTS_MAX, bytes: TURN_BYTES_MAX };
    while (this.#replaying.length > 0 && budget.events > 0 && budget.bytes > 0) {
      const channel = this.#replaying.shift() as Channel;
      for (const frame of channel.read(budget)) this.#client.deliverFrame(frame);
      if (channel.isLost) this.lose(channel.topic);
      else if (channel.isReplaying) this.#replaying.push(channel);
    }
    if (this.#replaying.length > 0) this.#client.requestReplay();
  }

  /** Events of the topic are missing for good: SDKs subscribe again and learn that they can't recover. */
  lose(name: string): void {
    this.#dismiss(name, UnsubscribeCode.insufficient_state);
  }

  /** The identity changed: what it may no longer have ends. */
  authorise(): void {
    for (const channel of [...this.#channels.values()]) {
      if (maySubscribe(this.#client.identity, channel.matcher, this.#desk.access)) channel.authorise();
      else this.#dismiss(channel.topic, UnsubscribeCode.server);
    }
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
    this.#replaying = [];
  }

  /** An epoch that is not the log's is another life, whose events nobody here can vouch for. */
  #recover(channel: Channel, { since }: Subscribe): boolean {
    if (since === null) return false;
    const recovered = since.epoch === this.#desk.hub.epoch && channel.resume(since.offset);
    this.#desk.counters.resumes.add(`${Transport.websocket}:${recovered ? "recovered" : "unrecovered"}`);
    return recovered;
  }

  #reply(channel: Channel, { id, since }: Subscribe, recovered: boolean): void {
    const { hub, counters } = this.#desk;
    const position = { recoverable: true, positioned: true, epoch: hub.epoch };
    let frames: Buffer[];
    let offset = hub.head;
    if (recovered) {
      frames = channel.read({ events: REPLY_PUBLICATIONS_MAX, bytes: REPLY_BYTES_MAX });
      // Publications carry the client on from where it was. With none to come it is at the head already.
      if (since !== null && (frames.length > 0 || channel.isReplaying)) offset = since.offset;
    } else {
      const state = channel.stateFrame();
      frames = state === null ? [] : [state];
    }
    const result = { ...position, offset, recovered, was_recovering: since !== null };
    counters.deliveries.websocket += frames.length;
    const publications = publicationsIn(frames, channel.topic);
    this.#client.enqueue(encodeReplyWithPublications(id, "subscribe", result, publications));
    if (!channel.isReplaying) return;
    this.#replaying.push(channel);
    this.#client.requestReplay();
  }

  #dismiss(name: string, code: UnsubscribeCode): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    this.#remove(channel);
    this.#dismissedAtMs = this.#desk.clock.monotonicMs();
    this.#client.enqueue(encodeUnsubscribePush(name, code));
  }

  #remove(channel: Channel): void {
    this.#channels.delete(channel.topic);
    channel.close();
    const index = this.#replaying.indexOf(channel);
    if (index >= 0) this.#replaying.splice(index, 1);
  }
}
