import type { Socket } from "node:net";
import type { Identity } from "#auth/identity.ts";
import { CLOSE_REASONS, CloseReason } from "#protocol/close-reason.ts";
import { Connection } from "./connection.ts";
import type { Desk } from "./desk.ts";
import { Transport } from "./transport.ts";
import type { SessionClient } from "./websocket-channel.ts";
import type { ClientSocket, SocketOwner } from "./websocket-client-socket.ts";
import type { Deflater } from "./websocket-deflate.ts";
import { Session } from "./websocket-session.ts";

/** RFC 6455, section 7.4.1: a message too big to process. */
const MESSAGE_TOO_BIG = 1009;

/** The shell around a session: one WebSocket client's socket, its time, and its place in the books. */
export class WebSocketConnection extends Connection implements SessionClient, SocketOwner {
  readonly #webSocket: ClientSocket;
  readonly #session: Session;
  readonly #deflater: Deflater | null;

  /** @param deflater null: frames go as they are */
  constructor(
    desk: Desk,
    socket: Socket,
    webSocket: ClientSocket,
    address: string,
    deflater: Deflater | null,
  ) {
    super(desk, socket, Transport.websocket, address, desk.authenticator.anonymous);
    socket.setNoDelay(true);
    this.#webSocket = webSocket;
    this.#deflater = deflater;
    this.#session = new Session(desk, this);
    webSocket.adopt(this);
    this.rearm();
  }

  override enqueue(frame: Buffer): void {
    super.enqueue(this.outgoing(frame));
  }

  protected override outgoing(frame: Buffer): Buffer {
    return this.#deflater === null ? frame : this.#deflater.deflated(frame);
  }

  get subscriberCount(): number {
    return this.#session.channelCount;
  }

  /** Upstream lost events of a topic: unsubscribes it so that the client subscribes anew (code 2500). */
  loseTopic(topic: string): void {
    this.#session.lose(topic);
  }

  /** Channels that it may no longer have are unsubscribed (code 2000, upon which SDKs do not come back for them). */
  override authorise(identity: Identity): void {
    super.authorise(identity);
    this.#session.authorise();
  }

  message(data: Buffer, isBinary: boolean): void {
    if (this.closed !== null) return;
    if (isBinary) this.close(CloseReason.inappropriate_protocol, "a binary message");
    else this.#session.receive(data.toString());
  }

  closing(brokenWith: number | null): void {
    if (brokenWith === null) this.close(CloseReason.client_closed);
    else if (brokenWith === MESSAGE_TOO_BIG) this.close(CloseReason.message_too_large);
    else this.close(CloseReason.bad_request, `a frame that breaks RFC 6455 (${brokenWith})`);
  }

  terminating(): void {
    this.close(CloseReason.slow_consumer, "its WebSocket pings' answers were not read");
  }

  identify(identity: Identity): void {
    this.desk.registry.identify(this, identity);
  }

  rearm(): void {
    if (this.closed !== null) return;
    this.desk.wheel.arm(
      this,
      Math.max(0, Math.min(this.#session.nextInMs, this.stalledInMs, this.untilOldMs)),
    );
  }

  requestReplay(): void {
    this.requestFlush();
  }

  onWheel(): void {
    this.keepAlive();
    if (this.untilOldMs <= 0) this.close(CloseReason.too_old);
    else if (this.isStalled) this.close(CloseReason.slow_consumer, "it took nothing for heartbeat.timeout");
    else this.#session.onTime();
    this.rearm();
  }

  protected goodbye(reason: CloseReason): null {
    const { websocketCode, text } = CLOSE_REASONS[reason];
    this.#webSocket.finish(websocketCode ?? 1000, text);
    return null;
  }

  protected release(): void {
    this.#session.end();
  }

  protected override onBlocked(): void {
    this.rearm();
  }

  protected override onWritable(): void {
    this.#session.goOn();
  }
}
