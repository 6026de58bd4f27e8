import { Duplex } from "node:stream";
import { Connection } from "#downstream/connection.ts";
import type { SessionClient } from "#downstream/websocket-channel.ts";
import type { HubEvent, Subscription } from "#hub/hub.ts";
import type { CloseReason } from "#protocol/close-reason.ts";
import type { TopicMatcher } from "#protocol/topic-matcher.ts";
import type { TestDesk } from "./downstream-desk.ts";

/** A connection whose socket is a stream that takes everything and says nothing: for tests of books, by the thousand. */
class MutedConnection extends Connection {
  #subscriptions: Subscription[] = [];
  readonly delivered: HubEvent[] = [];

  get subscriberCount(): number {
    return this.#subscriptions.length;
  }

  /** As what a channel of a session sees of it. */
  get client(): SessionClient {
    return this as unknown as SessionClient;
  }

  subscribe(matcher: TopicMatcher): void {
    this.#subscriptions.push(this.desk.hub.subscribe(this, matcher));
  }

  /** A subscription that the connection does not know of, as a bug would leave one. */
  subscribeLate(matcher: TopicMatcher): void {
    this.desk.hub.subscribe(this, matcher);
  }

  deliver(event: HubEvent): void {
    this.delivered.push(event);
  }

  /** The socket is destroyed and nobody is told. */
  loseSocket(): void {
    this.#mute();
    this.sink.destroy();
  }

  /** Ends with a socket whose closing is never told. */
  closeSilently(reason: CloseReason): void {
    this.#mute();
    this.close(reason);
  }

  onWheel(): void {
    this.desk.wheel.arm(this, this.desk.heartbeat.intervalMs);
  }

  protected goodbye(): null {
    return null;
  }

  protected release(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    this.#subscriptions = [];
  }

  #mute(): void {
    (this.sink as Duplex).removeAllListeners("close");
  }
}

export function mutedConnection(desk: TestDesk): MutedConnection {
  const { anonymous } = desk.authenticator;
  const connection = new MutedConnection(desk, new MutedSocket(), "sse", "192.0.2.1", anonymous);
  desk.wheel.arm(connection, desk.heartbeat.intervalMs);
  return connection;
}

class MutedSocket extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}
