import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import { parseCursor } from "#protocol/cursor.ts";
import { EventStream } from "#upstream/event-stream.ts";
import { answered, explainRequestError, explainStatus, open, read } from "./http.ts";
import { Sightings } from "./sightings.ts";
import { type Finding, StepFailure, within } from "./step.ts";
import type { CheckTarget } from "./target.ts";

/** Bytes of one event that are read. */
const EVENT_BYTES_MAX = 4 * 1024 * 1024;
const UNBUFFER =
  "A proxy holds the stream back: turn its buffering off for this path (nginx: proxy_buffering off; Apache: flushpackets=on) and do not compress text/event-stream.";

export interface SseOptions {
  /** Null: all topics that the identity may see. */
  readonly topic: string | null;
  readonly token: string | null;
  /** Where to resume; null: from now on. */
  readonly lastEventId: string | null;
}

/** An SSE subscription that is watched from outside, and can be cut as a failing network would. */
export class SseProbe implements Disposable {
  readonly sightings = new Sightings();
  /** The id preceding the first event, as the gateway told it (Mercure, "Reconciliation"). */
  readonly toldLastEventId: string | null;
  /** The id to resume from. */
  lastEventId: string;
  readonly headersMs: number;
  #firstByteMs: number | null = null;
  readonly #request: ClientRequest;
  readonly #socket: Socket;
  #onFirstByte: (() => void) | null = null;

  private constructor(request: ClientRequest, response: IncomingMessage, clock: Clock, startMs: number) {
    this.#request = request;
    this.#socket = response.socket;
    this.headersMs = clock.monotonicMs() - startMs;
    this.toldLastEventId = response.headers["mercure-last-event-id"]?.toString() ?? null;
    this.lastEventId = this.toldLastEventId ?? "";
    const stream = new EventStream(this.lastEventId, EVENT_BYTES_MAX, {
      event: ({ id }) => this.sightings.add(parseCursor(id ?? "")?.sequence ?? null),
      retry: () => {},
      tooLarge: () => end(`an event is larger than ${EVENT_BYTES_MAX / 2 ** 20} MiB`),
    });
    response.on("data", (chunk: Buffer) => {
      this.#firstByteMs ??= clock.monotonicMs() - startMs;
      this.#onFirstByte?.();
      stream.push(chunk);
      // Also of heartbeats, which hold the cursor reached and are no events.
      this.lastEventId = stream.lastEventId;
    });
    const end = (why: string) => {
      this.sightings.end(
        new StepFailure(
          why,
          "Look at the gateway's log for the reason, and at any proxy's time-out for idle connections.",
        ),
      );
      this.#onFirstByte?.();
    };
    response.on("end", () => end("the gateway or a proxy ended the stream"));
    response.on("error", (error) => end(`the stream broke: ${messageOf(error)}`));
  }

  /** Subscribes, and checks the answer's head. */
  static async open(
    target: CheckTarget,
    options: SseOptions,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<SseProbe> {
    const url = target.url("/.well-known/mercure");
    url.searchParams.set("match", options.topic ?? "*");
    const startMs = clock.monotonicMs();
    const request = open(target, url, {
      headers: {
        accept: "text/event-stream",
        "cache-control": "no-store",
        ...(options.token === null ? {} : { authorization: `Bearer ${options.token}` }),
        ...(options.lastEventId === null ? {} : { "last-event-id": options.lastEventId }),
      },
    });
    try {
      request.end();
      const response = await within(signal, answered(request));
      await refuseOther(response, signal);
      return new SseProbe(request, response, clock, startMs);
    } catch (thrown) {
      request.destroy();
      if (signal.aborted) throw new StepFailure("the answer's headers did not come", UNBUFFER);
      throw explainRequestError(thrown, target);
    }
  }

  /** Waits for the body's first byte, which the gateway sends at once; answers when it came, in milliseconds. */
  async firstByte(signal: AbortSignal): Promise<number> {
    if (this.#firstByteMs === null) {
      const arrived = new Promise<void>((resolve) => {
        this.#onFirstByte = resolve;
      });
      await within(signal, arrived).catch(() => {});
    }
    if (this.#firstByteMs !== null) return this.#firstByteMs;
    throw new StepFailure(
      `the headers came after ${Math.round(this.headersMs)} ms, but nothing of the stream, though its first comment is sent at once`,
      UNBUFFER,
    );
  }

  /** Breaks the connection without a goodbye, as a failing network would. */
  cut(): void {
    resetSocket(this.#socket);
    this.#request.destroy();
  }

  [Symbol.dispose](): void {
    this.#request.destroy();
  }
}

/** Headers and time to the first byte, which shows a proxy that buffers. */
export async function checkSse(
  target: CheckTarget,
  options: SseOptions,
  clock: Clock,
  signal: AbortSignal,
): Promise<Finding & { readonly probe: SseProbe }> {
  const probe = await SseProbe.open(target, options, clock, signal);
  try {
    const firstByteMs = await probe.firstByte(signal);
    const detail = `${options.topic ?? "all topics"}: headers after ${Math.round(probe.headersMs)} ms, first byte after ${Math.round(firstByteMs)} ms`;
    return { detail, probe };
  } catch (thrown) {
    probe[Symbol.dispose]();
    throw thrown;
  }
}

/** TCP's reset, where the socket can send one; a TLS socket is dropped. */
export function resetSocket(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}

async function refuseOther(response: IncomingMessage, signal: AbortSignal): Promise<void> {
  const { statusCode: status = 0, headers } = response;
  if (status !== 200) {
    const body = await within(signal, read(response));
    throw explainStatus("GET /.well-known/mercure", { status, headers, body });
  }
  const type = headers["content-type"] ?? "none";
  if (!/^text\/event-stream\b/i.test(type)) {
    throw new StepFailure(
      `the content type is ${type}, not text/event-stream`,
      "Something else answers there, or a proxy rewrites the answer: check its routes.",
    );
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new StepFailure(`the stream is compressed (${encoding}), which holds events back`, UNBUFFER);
  }
}
