import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type RawData, WebSocket } from "ws";
import { explainRequestError, explainStatus, read } from "./http.ts";
import { Sightings } from "./sightings.ts";
import { resetSocket } from "./sse.ts";
import { type Finding, StepFailure, within } from "./step.ts";
import type { CheckTarget } from "./target.ts";

/** Bytes of one frame that are accepted. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024;

/** Where a subscription stands, or is to resume. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

interface Reply {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string };
  readonly connect?: { readonly version?: string; readonly ping?: number; readonly pong?: boolean };
  readonly subscribe?: {
    readonly epoch?: string;
    readonly offset?: number;
    readonly recovered?: boolean;
    readonly publications?: readonly { readonly offset?: number }[];
  };
  readonly push?: {
    readonly pub?: { readonly offset?: number };
    readonly unsubscribe?: { readonly code: number; readonly reason?: string };
  };
}

/** A WebSocket connection that is watched from outside, and can be cut as a failing network would. */
export class WebSocketProbe implements Disposable {
  readonly sightings = new Sightings();
  epoch = "";
  #offset = 0;
  /** Seconds between the gateway's pings; 0: none. */
  pingS = 0;
  #pong = false;
  #lastId = 0;
  readonly #replies = new Map<number, { resolve: (reply: Reply) => void; reject: (why: Error) => void }>();
  readonly #webSocket: WebSocket;
  #socket: Socket | null = null;
  #end: Error | null = null;

  private constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket;
    webSocket.on("upgrade", ({ socket }) => {
      this.#socket = socket;
    });
    webSocket.on("message", (data) => this.#read(data));
    webSocket.on("error", (error) => this.#finish(error));
    webSocket.on("close", (code, reason) =>
      this.#finish(
        new StepFailure(
          `the connection was closed with code ${code}${reason.length > 0 ? `: ${reason}` : ""}`,
          "docs/reasons.md tells what each close code means and what to do.",
        ),
      ),
    );
  }

  /** Upgrades and signs in. */
  static async open(target: CheckTarget, token: string | null, signal: AbortSignal): Promise<WebSocketProbe> {
    const url = target.url("/connection/websocket");
    url.protocol = target.secure ? "wss:" : "ws:";
    const webSocket = new WebSocket(url, "centrifuge-json", {
      perMessageDeflate: false,
      maxPayload: FRAME_BYTES_MAX,
      ...(target.ca === undefined ? {} : { ca: [...target.ca] }),
    });
    const probe = new WebSocketProbe(webSocket);
    try {
      await within(signal, upgraded(webSocket));
      await probe.#connect(token, signal);
      return probe;
    } catch (thrown) {
      probe[Symbol.dispose]();
      throw explainRequestError(thrown, target);
    }
  }

  /** The position reached: the last event's, or where the subscription began. */
  get position(): Position {
    return { epoch: this.epoch, offset: Math.max(this.#offset, this.sightings.highest) };
  }

  /** Subscribes to one topic, from a position on where one is given; answers whether that was exact. */
  async subscribe(
    topic: string,
    from: Position | null,
    signal: AbortSignal,
  ): Promise<{ recovered: boolean }> {
    const recovery = from === null ? {} : { recover: true, epoch: from.epoch, offset: from.offset };
    const { error, subscribe } = await this.#command({ subscribe: { channel: topic, ...recovery } }, signal);
    if (error !== undefined) throw explainError(`subscribing to ${topic}`, error);
    this.epoch = subscribe?.epoch ?? "";
    this.#offset = subscribe?.offset ?? 0;
    return { recovered: subscribe?.recovered === true };
  }

  /** Breaks the connection without a goodbye, as a failing network would. */
  cut(): void {
    if (this.#socket !== null) resetSocket(this.#socket);
    this.#webSocket.terminate();
  }

  [Symbol.dispose](): void {
    this.#webSocket.terminate();
  }

  async #connect(token: string | null, signal: AbortSignal): Promise<void> {
    const { error, connect } = await this.#command({ connect: token === null ? {} : { token } }, signal);
    if (error !== undefined) throw explainError("connect", error);
    this.pingS = connect?.ping ?? 0;
    this.#pong = connect?.pong === true;
  }

  #command(command: object, signal: AbortSignal): Promise<Reply> {
    if (this.#end !== null) return Promise.reject(this.#end);
    const id = ++this.#lastId;
    const reply = new Promise<Reply>((resolve, reject) => this.#replies.set(id, { resolve, reject }));
    this.#webSocket.send(JSON.stringify({ id, ...command }), () => {});
    return within(signal, reply);
  }

  #read(data: RawData): void {
    for (const line of String(data).split("\n")) {
      if (line === "") continue;
      try {
        this.#take(JSON.parse(line));
      } catch {
        this.#finish(
          new StepFailure("a frame is not JSON", "Something else than Streamkeeper answers there."),
        );
        this.#webSocket.terminate();
        return;
      }
    }
  }

  #take(reply: Reply): void {
    if (reply.id !== undefined) {
      // Before whoever waits goes on, so that these stand before whatever is pushed next.
      for (const { offset } of reply.subscribe?.publications ?? []) this.sightings.add(offset ?? null);
      this.#replies.get(reply.id)?.resolve(reply);
      this.#replies.delete(reply.id);
    } else if (reply.push?.pub !== undefined) {
      this.sightings.add(reply.push.pub.offset ?? null);
    } else if (reply.push?.unsubscribe !== undefined) {
      const { code, reason } = reply.push.unsubscribe;
      this.sightings.end(
        new StepFailure(
          `the gateway unsubscribed the topic with code ${code}${reason ? `: ${reason}` : ""}`,
          "docs/reasons.md tells what each unsubscribe code means and what to do.",
        ),
      );
    } else if (reply.push === undefined && this.#pong) {
      this.#webSocket.send("{}", () => {});
    }
  }

  #finish(why: Error): void {
    this.#end ??= why;
    this.sightings.end(this.#end);
    for (const { reject } of this.#replies.values()) reject(this.#end);
    this.#replies.clear();
  }
}

/** Upgrade, sign-in by token, ping interval. */
export async function checkWebSocket(
  target: CheckTarget,
  token: string | null,
  signal: AbortSignal,
): Promise<Finding & { readonly probe: WebSocketProbe }> {
  const probe = await WebSocketProbe.open(target, token, signal);
  const ping = probe.pingS === 0 ? "no pings" : `a ping every ${probe.pingS} s`;
  return { detail: `upgraded, connected${token === null ? " without signing in" : ""}, ${ping}`, probe };
}

function upgraded(webSocket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    webSocket.once("open", resolve);
    webSocket.once("error", reject);
    webSocket.once("unexpected-response", (_request, response) => {
      read(response).then((body) => reject(explainUpgrade(response, body)), reject);
    });
  });
}

function explainUpgrade(response: IncomingMessage, body: string): StepFailure {
  const { statusCode: status = 0, headers } = response;
  if (status === 200 || status === 400 || status === 426) {
    return new StepFailure(
      `the upgrade was answered with ${status}`,
      "A proxy does not pass the upgrade on: give it HTTP/1.1 and the Upgrade and Connection headers for this path (nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade).",
    );
  }
  return explainStatus("GET /connection/websocket", { status, headers, body });
}

function explainError(what: string, { code, message }: { code: number; message: string }): StepFailure {
  const why = `${what} was refused with error ${code}: ${message}`;
  if (code === 103) {
    return new StepFailure(
      why,
      "The role may not do this: sign in with --user, or see auth.roles and auth.anonymous.",
    );
  }
  if (code === 101 || code === 109) return new StepFailure(why, "Sign in with --user NAME.");
  if (code === 102)
    return new StepFailure(why, "Over WebSocket a topic is named exactly: --topic takes no pattern.");
  return new StepFailure(why, "docs/reasons.md tells what each error code means and what to do.");
}
