import { Client } from "./client.ts";
import { Reading } from "./reading.ts";
import type { ClientRequest } from "./simulated-http.ts";
import { closeFrame, textFrame, WebSocketReader } from "./websocket-wire.ts";
import type { Wire } from "./wire.ts";

/** Backoff of an SDK, in milliseconds. */
const BACKOFF_MS = { min: 500, max: 20_000 } as const;
/** How long an SDK waits for the handshake, and then for the reply to `connect`, before it hangs up and tries again, in milliseconds. */
const PATIENCE_MS = 5000;
/** When a channel that was refused is asked for again, in milliseconds. */
const ERROR_AGAIN_MS = 30_000;

/** Close code of a user's connection too many. */
const CONNECTION_LIMIT = 3504;

/** One subscription of an SDK: where it stands, across connections. */
interface Channel {
  readonly topic: string;
  position: { epoch: string; offset: number } | null;
  reading: Reading | null;
  /** The command that subscribes it, while its reply is out. */
  asking: number | null;
}

interface Reply {
  readonly id?: number;
  readonly error?: { readonly code: number };
  readonly subscribe?: SubscribeResult;
  readonly connect?: object;
  readonly push?: {
    readonly channel: string;
    readonly pub?: Publication;
    readonly unsubscribe?: { readonly code: number };
  };
}

interface SubscribeResult {
  readonly recovered?: boolean;
  readonly epoch: string;
  readonly offset?: number;
  readonly publications?: readonly Publication[];
}

interface Publication {
  readonly offset: number;
  readonly data: unknown;
}

/** A Centrifuge SDK: connects, subscribes, recovers, answers pings, and checks what it gets. */
export class WebSocketClient extends Client {
  readonly #channels = new Map<string, Channel>();
  #reader = new WebSocketReader();
  #command = 0;
  #attempts = 0;
  #isSignedIn = false;
  #leftChannels = new Set<string>();

  /** Subscribes to another topic, or leaves one. */
  turn(): void {
    const { topics } = this.plan;
    if (topics === null || !this.#isSignedIn) return;
    const topic = this.chance.pick(topics);
    const channel = this.#channels.get(topic);
    if (channel === undefined) this.#open(topic);
    else if (this.#channels.size > 1) this.#leave(channel);
  }

  /** Publishes to a topic of clients. */
  publish(topic: string): void {
    if (!this.#isSignedIn) return;
    const data = { topic, n: 0, text: `of ${this.plan.name}` };
    this.#send({ id: ++this.#command, publish: { channel: topic, data } });
  }

  get anyTopic(): string | null {
    for (const topic of this.#channels.keys()) return topic;
    return null;
  }

  protected get isStreaming(): boolean {
    return this.#isSignedIn;
  }

  protected *readings(): Iterable<Reading> {
    for (const { reading } of this.#channels.values()) if (reading !== null) yield reading;
  }

  protected request(): ClientRequest {
    const reader = new WebSocketReader();
    this.#reader = reader;
    this.#isSignedIn = false;
    this.#giveUpUnless(() => reader.status !== null);
    return {
      method: "GET",
      url: "/connection/websocket",
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "c2ltdWxhdGVkIGtleSEhIQ==",
      },
      body: "",
    };
  }

  protected received(bytes: Buffer): void {
    const isShaken = this.#reader.status !== null;
    const messages = this.#reader.read(bytes);
    const { status } = this.#reader;
    if (!isShaken && status === 101) this.#signIn();
    for (const message of messages) {
      if (typeof message === "string") for (const line of message.split("\n")) this.#line(line);
      else this.#closed(message.closeCode);
    }
  }

  protected over(): number {
    this.world.note(this.plan.name, "is cut");
    this.#forget();
    const windowMs = Math.min(BACKOFF_MS.max, BACKOFF_MS.min * 2 ** this.#attempts++);
    return this.chance.between(0, windowMs) + 1;
  }

  protected goodbye(wire: Wire): void {
    this.#forget();
    if (!this.chance.happens(0.6)) wire.reset();
    else if (this.#reader.status === 101) wire.send(closeFrame());
    else wire.end();
  }

  #signIn(): void {
    this.#send({ id: ++this.#command, connect: { token: this.token } });
    this.#giveUpUnless(() => this.#isSignedIn);
  }

  #giveUpUnless(isAnswered: () => boolean): void {
    const { wire } = this;
    this.world.time.in(PATIENCE_MS, () => {
      if (this.wire === wire && !isAnswered()) this.giveUp((each) => each.end());
    });
  }

  #forget(): void {
    this.#isSignedIn = false;
    this.#leftChannels = new Set();
    for (const channel of this.#channels.values()) {
      channel.reading = null;
      channel.asking = null;
    }
  }

  #closed(code: number): void {
    this.world.note(this.plan.name, "close frame", code);
    // From 3500 on an SDK does not come back; nothing that this one does deserves that but to be one too many.
    if (code >= 3500 && code < 4000 && code !== CONNECTION_LIMIT) {
      this.world.breaks("refusal", `${this.plan.name} was closed with ${code}, upon which SDKs give up`);
    }
    if (this.wire !== null) {
      this.wire.send(closeFrame());
      this.wire.end();
    }
  }

  #line(line: string): void {
    const reply = JSON.parse(line) as Reply;
    const { id, push, error } = reply;
    if (push !== undefined) {
      if (push.pub !== undefined) this.#publication(push.channel, push.pub);
      else if (push.unsubscribe !== undefined) this.#unsubscribed(push.channel, push.unsubscribe.code);
    } else if (id === undefined) {
      this.#send({});
    } else if (reply.connect !== undefined) {
      this.#signedIn();
    } else {
      const channel = this.#channels.values().find(({ asking }) => asking === id);
      if (channel === undefined) return;
      channel.asking = null;
      if (error !== undefined) this.#refused(channel, error.code);
      else if (reply.subscribe !== undefined) this.#subscribed(channel, reply.subscribe);
    }
  }

  #signedIn(): void {
    this.#isSignedIn = true;
    this.#attempts = 0;
    if (this.#channels.size === 0) {
      const topics = this.plan.topics ?? [];
      for (const topic of this.chance.some(topics, this.chance.whole(1, topics.length))) this.#open(topic);
    } else {
      for (const channel of this.#channels.values()) this.#subscribe(channel);
    }
  }

  #open(topic: string): void {
    const channel: Channel = { topic, position: null, reading: null, asking: null };
    this.#channels.set(topic, channel);
    this.#leftChannels.delete(topic);
    this.#subscribe(channel);
  }

  #leave(channel: Channel): void {
    if (channel.asking !== null) return;
    this.world.note(this.plan.name, "unsubscribes", channel.topic);
    this.#channels.delete(channel.topic);
    this.#leftChannels.add(channel.topic);
    this.#send({ id: ++this.#command, unsubscribe: { channel: channel.topic } });
  }

  #subscribe(channel: Channel): void {
    const { topic, position } = channel;
    channel.asking = ++this.#command;
    channel.reading = null;
    const subscribe = position === null ? { channel: topic } : { channel: topic, recover: true, ...position };
    this.#send({ id: channel.asking, subscribe });
  }

  /** The feed is full, or it subscribed while the gateway still knew of the last time. */
  #refused(channel: Channel, code: number): void {
    this.world.note(this.plan.name, "is refused", channel.topic, code);
    this.troubled();
    this.world.time.in(ERROR_AGAIN_MS, () => {
      const isOpen = this.#channels.get(channel.topic) === channel && channel.reading === null;
      if (isOpen && channel.asking === null && this.#isSignedIn) this.#subscribe(channel);
    });
  }

  #subscribed(channel: Channel, result: SubscribeResult): void {
    const { topic, position } = channel;
    const { recovered = false, epoch, offset = 0, publications = [] } = result;
    const life = this.door.lives.get(epoch);
    const { name } = this.plan;
    this.world.note(name, "subscribed", topic, recovered, offset, publications.length);
    if (life === undefined || (recovered && position?.epoch !== epoch)) {
      this.world.breaks("forged", `${name} recovered ${topic} from another life, or in none: ${epoch}`);
      return;
    }
    const after = recovered && position !== null ? position.offset : offset;
    const mayThin = (of: string) => this.mayThin(of);
    channel.reading = new Reading(this.world, `${name} ${topic}`, life.hub.ledger, [topic], after, mayThin);
    channel.position = { epoch, offset: after };
    if (recovered) {
      for (const publication of publications) this.#publication(topic, publication);
      if (publications.length === 0) channel.reading.through(offset);
      channel.position.offset = Math.max(channel.position.offset, offset);
    } else {
      for (const { data } of publications) channel.reading.state(topic, JSON.stringify(data), true);
    }
  }

  #publication(topic: string, { offset, data }: Publication): void {
    const channel = this.#channels.get(topic);
    if (channel?.reading == null) {
      // What was under way when it unsubscribed may still come; more may not.
      if (channel === undefined && !this.#leftChannels.has(topic)) {
        this.world.breaks("forged", `${this.plan.name} got ${topic}, to which it never subscribed`);
      }
      return;
    }
    this.events++;
    this.world.note(this.plan.name, "gets", topic, offset);
    channel.reading.event(topic, offset, JSON.stringify(data));
    if (channel.position !== null) channel.position.offset = offset;
  }

  #unsubscribed(topic: string, code: number): void {
    const channel = this.#channels.get(topic);
    this.world.note(this.plan.name, "is unsubscribed", topic, code);
    this.troubled();
    if (channel === undefined || code < 2500) return;
    this.#subscribe(channel);
  }

  #send(command: object): void {
    this.wire?.send(textFrame(JSON.stringify(command)));
  }
}
