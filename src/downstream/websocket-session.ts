import { mayPublish } from "#auth/policy.ts";
import { messageOf } from "#base/errors.ts";
import { TokenBucket } from "#base/token-bucket.ts";
import { CENTRIFUGE_ERROR_NAMES, CentrifugeError } from "#protocol/centrifuge-codes.ts";
import { type Command, parseCommands } from "#protocol/centrifuge-command.ts";
import { encodeErrorReply, encodeReply, PING_FRAME } from "#protocol/centrifuge-encode.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { isReserved } from "#protocol/mercure-publish.ts";
import type { Desk } from "./desk.ts";
import type { SessionClient } from "./websocket-channel.ts";
import { channelMatcher } from "./websocket-channel-name.ts";
import { Channels } from "./websocket-channels.ts";
import { Liveness } from "./websocket-liveness.ts";
import { history, presence } from "./websocket-queries.ts";
import { connect, refresh, type SignIn } from "./websocket-sign-in.ts";

/** How often `limits.requestBytes` may wait behind a command that is being checked, or for the client to take replies. */
const WAITING_MESSAGES_MAX = 2;
/**
 * Commands of a client in one turn of the event loop. A message holds thousands, each of which may look at every
 * subscriber of a topic; others have their turn in between.
 */
const TURN_COMMANDS_MAX = 64;
/**
 * The share of `limits.queueBytes` that may wait for the client before its next command is performed, but for what its socket
 * takes in any case: Node's high-water mark, up to which the socket never says that it takes bytes again.
 */
const QUEUE_SHARE = 0.25;
const SOCKET_BYTES = 64 * 1024;

interface Waiting {
  readonly command: Command;
  /** Its share of the message that it came in, in UTF-16 code units. */
  readonly length: number;
}
/** Errors of a client in a second, on average, and at once beside one for each subscriber that it may have. */
const ERRORS_PER_SECOND = 1;
const ERRORS_AT_ONCE = 50;
/** Commands of so many seconds may come at once. */
const COMMANDS_AT_ONCE_S = 10;

/**
 * One client's session in the Centrifuge client protocol: commands in, replies and actions out, without a socket or a
 * clock of its own.
 *
 *     connecting ──connect──> checking ──> connected ──refresh──> checking ──> connected
 *                                 └──> failed: one chance a connection; any further command ends it
 *
 * While credentials are checked, commands wait, so that they are answered in order. They wait as well while much waits for
 * the client: a small command may have a large reply, and a message of them would fill its queue many times over.
 */
export class Session {
  readonly #desk: Desk;
  readonly #client: SessionClient;
  readonly #channels: Channels;
  readonly #liveness: Liveness;
  #phase: "connecting" | "connected" | "failed" = "connecting";
  readonly #commands = new TokenBucket();
  readonly #errors = new TokenBucket();
  #isChecking = false;
  #waiting: Waiting[] = [];
  #waitingLength = 0;
  /** Commands performed since the socket last took bytes. */
  #performed = 0;

  constructor(desk: Desk, client: SessionClient) {
    this.#desk = desk;
    this.#client = client;
    this.#channels = new Channels(desk, client);
    this.#liveness = new Liveness(desk.heartbeat, desk.clock.monotonicMs());
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  /** Milliseconds until `onTime` is to be called. */
  get nextInMs(): number {
    return this.#liveness.nextMs - this.#desk.clock.monotonicMs();
  }

  /** A whole message came. */
  receive(message: string): void {
    let isTooMuch = false;
    const commands = parseCommands(message);
    const length = message.length / commands.length;
    for (const command of commands) {
      isTooMuch = command.kind !== "pong" && !this.#isInTime();
      if (isTooMuch) break;
      if (command.kind === "pong" && this.#phase === "connected") {
        this.#pong();
      } else {
        this.#waiting.push({ command, length });
        this.#waitingLength += length;
      }
    }
    this.#performWaiting();
    if (isTooMuch) this.#client.close(CloseReason.too_many_requests, "limits.commandsPerSecond is reached");
    else this.#boundWaiting();
  }

  /** What waits only for others' turn is rather performed at once than too much. */
  #boundWaiting(): void {
    const lengthMax = WAITING_MESSAGES_MAX * this.#desk.limits.requestBytes;
    while (this.#waitingLength > lengthMax && this.#client.closed === null) {
      if (this.#isChecking || this.#isBehind) {
        this.#client.close(CloseReason.too_many_requests, "too much sent while its commands waited");
        return;
      }
      this.#performed = 0;
      this.#performWaiting();
    }
  }

  /** Time passed: performs what is due. */
  onTime(): void {
    const nowMs = this.#desk.clock.monotonicMs();
    for (let action = this.#liveness.due(nowMs); action !== null; action = this.#liveness.due(nowMs)) {
      switch (action) {
        case "ping":
          this.#client.enqueue(PING_FRAME);
          break;
        case "no_pong":
          this.#client.close(CloseReason.no_pong);
          return;
        case "stale":
          this.#client.close(CloseReason.stale);
          return;
        case "expired":
          this.#client.close(CloseReason.token_expired);
          return;
        case "idle":
          if (this.#isIdle(nowMs)) {
            this.#client.close(CloseReason.stale, "no subscription and no command for limits.idleTimeout");
            return;
          }
          break;
      }
    }
  }

  /** Whether it has been so for long enough; else it is looked at again. A client whose channel has just been ended may come back for it. */
  #isIdle(nowMs: number): boolean {
    const { idleTimeoutMs } = this.#desk.limits;
    const sinceMs = this.#channels.size > 0 ? nowMs : this.#channels.dismissedAtMs;
    if (nowMs - sinceMs >= idleTimeoutMs) return true;
    this.#liveness.active(sinceMs, idleTimeoutMs);
    return false;
  }

  /** The socket takes bytes: goes on with commands that wait, and with what is replayed. */
  goOn(): void {
    this.#performed = 0;
    this.#performWaiting();
    this.#channels.replay();
  }

  /** Upstream lost events of a topic: who is subscribed to it is told. */
  lose(topic: string): void {
    this.#channels.lose(topic);
  }

  /** What the identity may do has changed. */
  authorise(): void {
    this.#channels.authorise();
  }

  /** The connection ended. */
  end(): void {
    this.#waiting = [];
    this.#channels.close();
  }

  /** Counts a command. A client that comes back may ask for all its channels at once. */
  #isInTime(): boolean {
    const { commandsPerSecond, subscribersPerConnection, idleTimeoutMs } = this.#desk.limits;
    const nowMs = this.#desk.clock.monotonicMs();
    if (this.#phase === "connected") this.#liveness.active(nowMs, idleTimeoutMs);
    return this.#commands.take(
      nowMs,
      commandsPerSecond,
      COMMANDS_AT_ONCE_S * commandsPerSecond + subscribersPerConnection,
    );
  }

  /** Whether the next command has to wait. */
  get #isHeld(): boolean {
    return this.#isChecking || this.#performed >= TURN_COMMANDS_MAX || this.#isBehind;
  }

  /** Whether so much waits for the client that its next command has to. */
  get #isBehind(): boolean {
    return this.#client.queuedBytes > Math.max(SOCKET_BYTES, QUEUE_SHARE * this.#desk.limits.queueBytes);
  }

  /** Performs commands in their order, as long as none has to wait. */
  #performWaiting(): void {
    const waiting = this.#waiting;
    let done = 0;
    while (done < waiting.length && this.#client.closed === null && !this.#isHeld) {
      const { command, length } = waiting[done++] as Waiting;
      this.#performed++;
      this.#waitingLength -= length;
      this.#perform(command);
    }
    waiting.splice(0, done);
    if (waiting.length === 0) this.#waitingLength = 0;
    else if (!this.#isChecking && this.#client.closed === null) this.#client.requestReplay();
  }

  #perform(command: Command): void {
    const breach = this.#breachOf(command);
    if (breach !== null) {
      this.#client.close(CloseReason.bad_request, breach);
      return;
    }
    switch (command.kind) {
      case "connect":
        void this.#check(command.id, () => connect(this.#desk, this.#client, command));
        break;
      case "refresh":
        void this.#check(command.id, () => refresh(this.#desk, this.#client, command));
        break;
      case "subscribe":
        this.#subscribe(command);
        break;
      case "unsubscribe":
        this.#channels.unsubscribe(command.channel);
        this.#client.enqueue(encodeReply(command.id, "unsubscribe", {}));
        break;
      case "publish":
        this.#replyError(command.id, this.#publish(command));
        break;
      case "history":
        this.#replyError(command.id, history(this.#desk, this.#client, command));
        break;
      case "presence":
      case "presence_stats":
        this.#replyError(command.id, presence(this.#desk, this.#client, command));
        break;
      case "pong":
        this.#pong();
        break;
      case "declined":
        this.#replyError(command.id, command.error);
        break;
    }
  }

  #subscribe(command: Extract<Command, { kind: "subscribe" }>): void {
    const error = this.#channels.subscribe(command);
    // There may be room soon, so SDKs are to ask again.
    if (error === "full") this.#replyError(command.id, CentrifugeError.limit_exceeded, true);
    else this.#replyError(command.id, error);
  }

  #pong(): void {
    if (this.#liveness.pong(this.#desk.clock.monotonicMs())) this.#client.rearm();
    else this.#client.close(CloseReason.bad_request, "a pong without a ping");
  }

  /** How the command breaks the protocol, for the log; null where it does not. */
  #breachOf(command: Command): string | null {
    if (command.kind === "malformed") return command.detail;
    switch (this.#phase) {
      case "failed":
        return "a command after a connect that failed";
      case "connecting":
        return command.kind === "connect" ? null : "a command before connect";
      case "connected":
        return command.kind === "connect" ? "a second connect" : null;
    }
  }

  /** Holds back what follows until credentials are checked. Whatever happens meanwhile, nothing is thrown. */
  async #check(id: number, run: () => Promise<SignIn>): Promise<void> {
    this.#isChecking = true;
    let outcome: SignIn;
    try {
      outcome = await run();
    } catch (error) {
      this.#desk.log.error(
        { connection: this.#client.id, error: messageOf(error) },
        "checking credentials failed",
      );
      outcome = { kind: "refused", error: CentrifugeError.internal };
    }
    this.#isChecking = false;
    if (this.#client.closed !== null) return;
    this.#conclude(id, outcome);
    this.#performWaiting();
  }

  #conclude(id: number, outcome: SignIn): void {
    if (outcome.kind === "accepted") {
      this.#accept(id, outcome);
    } else if (outcome.kind === "ended") {
      this.#client.close(outcome.reason, outcome.detail);
    } else {
      if (this.#phase === "connecting") this.#phase = "failed";
      this.#replyError(id, outcome.error);
    }
  }

  #accept(id: number, { identity, result }: Extract<SignIn, { kind: "accepted" }>): void {
    const { clock, random } = this.#desk;
    const isFirst = this.#phase === "connecting";
    this.#phase = "connected";
    if (isFirst) {
      this.#liveness.connected(clock.monotonicMs(), random());
      this.#liveness.active(clock.monotonicMs(), this.#desk.limits.idleTimeoutMs);
    }
    const leftMs = identity.expiresAtMs === null ? null : identity.expiresAtMs - clock.nowMs();
    this.#liveness.expiresIn(clock.monotonicMs(), leftMs);
    this.#client.rearm();
    this.#client.enqueue(encodeReply(id, isFirst ? "connect" : "refresh", result));
    if (!isFirst) this.#channels.authorise();
  }

  #publish({ id, channel, data }: Extract<Command, { kind: "publish" }>): CentrifugeError | null {
    const matcher = channelMatcher(channel);
    if (typeof matcher === "number") return matcher;
    if (isReserved(channel) || !mayPublish(this.#client.identity, [channel])) {
      return CentrifugeError.permission_denied;
    }
    this.#desk.hub.publish({ topics: [channel], data });
    this.#desk.counters.published.add("websocket");
    this.#client.enqueue(encodeReply(id, "publish", {}));
    return null;
  }

  #replyError(id: number, error: CentrifugeError | null, isTemporary = false): void {
    if (error === null) return;
    this.#desk.counters.errors.add(CENTRIFUGE_ERROR_NAMES[error]);
    this.#client.enqueue(encodeErrorReply(id, error, isTemporary));
    const { clock, limits } = this.#desk;
    const atOnce = ERRORS_AT_ONCE + limits.subscribersPerConnection;
    // A client that lost a permission may ask for all its channels; one that never stops is broken.
    if (this.#errors.take(clock.monotonicMs(), ERRORS_PER_SECOND, atOnce)) return;
    this.#client.close(CloseReason.too_many_errors);
  }
}
