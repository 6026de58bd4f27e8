import { ServerResponse } from "node:http";
import { constants, type Http2ServerResponse } from "node:http2";
import type { Writable } from "node:stream";
import { createGzip, constants as zlib } from "node:zlib";
import type { FeedRequest, StreamAnswer, StreamTurn } from "./answer.ts";
import type { NumberedEvents } from "./numbered-events.ts";

export type FeedResponse = ServerResponse | Http2ServerResponse;

/** Written at a time, so that a client that does not read holds the stream back. */
const BATCH_BYTES = 65_536;

/** An endless line or event ends with the connection after all, if nobody minds it. */
const ENDLESS_BYTES_MAX = 2 ** 30;

/** One event stream: where it stands among the numbered events, and what becomes of it. */
export class FeedStream {
  readonly request: FeedRequest;
  readonly #answer: StreamAnswer;
  readonly #response: FeedResponse;
  readonly #events: NumberedEvents;
  readonly #out: Writable;
  /** The number of the last event that was considered. */
  #cursor: number;
  #sent = 0;
  #endless: { readonly text: string; left: number } | null = null;
  #blocked = false;
  #over = false;
  #head = 0;

  /** @param cursor events after this number are sent */
  constructor(
    request: FeedRequest,
    answer: StreamAnswer,
    response: FeedResponse,
    events: NumberedEvents,
    cursor: number,
  ) {
    this.request = request;
    this.#answer = answer;
    this.#response = response;
    this.#events = events;
    this.#cursor = cursor;
    const writable = writableOf(response);
    const { contentType = "text/event-stream", gzip = false } = answer;
    if (contentType !== null) response.setHeader("content-type", contentType);
    response.setHeader("cache-control", "no-cache");
    if (gzip) {
      response.setHeader("content-encoding", "gzip");
      const compressor = createGzip({ flush: zlib.Z_SYNC_FLUSH });
      compressor.pipe(writable);
      this.#out = compressor;
    } else {
      this.#out = writable;
    }
    response.statusCode = 200;
    this.#out.on("drain", () => {
      this.#blocked = false;
      this.advance(this.#head);
    });
    this.#out.on("error", () => {});
    writable.on("error", () => {});
    writable.once("close", () => {
      this.#over = true;
      if (gzip) this.#out.destroy();
    });
    this.#write(":\n\n");
  }

  carries(key: string): boolean {
    return this.request.keys === null || this.request.keys.has(key);
  }

  /** Sends what there is up to an event's number, as far as the client reads. */
  advance(head: number): void {
    this.#head = head;
    if (this.#endless !== null) this.#goOn(this.#endless);
    while (!this.#blocked && !this.#over && this.#endless === null) {
      if (this.#isTurning()) {
        this.#turn(this.#answer.turn as StreamTurn);
        return;
      }
      const batch = this.#nextBatch();
      if (batch === "") return;
      this.#write(batch);
    }
  }

  comment(): void {
    if (!this.#over && this.#endless === null && !this.#blocked) this.#write(":\n\n");
  }

  /** An orderly end. */
  end(): void {
    this.#over = true;
    this.#out.end();
  }

  #isTurning(): boolean {
    return this.#answer.turn !== undefined && this.#sent >= (this.#answer.events ?? 0);
  }

  #nextBatch(): string {
    let batch = "";
    while (this.#cursor < this.#head && batch.length < BATCH_BYTES && !this.#isTurning()) {
      this.#cursor++;
      if (!this.carries(this.#events.keyOf(this.#cursor))) continue;
      batch += this.#events.textOf(this.#cursor);
      this.#sent++;
    }
    return batch;
  }

  #write(text: string): void {
    if (!this.#out.write(text)) this.#blocked = true;
  }

  #turn(turn: StreamTurn): void {
    switch (turn) {
      case "end":
        this.end();
        return;
      case "silence":
        this.#over = true;
        return;
      case "endless_line":
        this.#write("data: ");
        this.#goOn({ text: "x".repeat(BATCH_BYTES), left: ENDLESS_BYTES_MAX });
        return;
      case "endless_event":
        this.#goOn({ text: `data: ${"x".repeat(500)}\n`.repeat(100), left: ENDLESS_BYTES_MAX });
        return;
      case "endless_comments":
        this.#goOn({ text: `: ${"x".repeat(500)}\n`.repeat(100), left: ENDLESS_BYTES_MAX });
        return;
      case "cut":
      case "garbage_chunk":
      case "goaway":
      case "rst_stream":
        this.#over = true;
        breakOff(this.#response, turn);
    }
  }

  #goOn(endless: { readonly text: string; left: number }): void {
    this.#endless = endless;
    while (!this.#blocked && !this.#over) {
      endless.left -= endless.text.length;
      if (endless.left < 0) {
        this.#over = true;
        breakOff(this.#response, "cut");
        return;
      }
      this.#write(endless.text);
    }
  }
}

/** The overloads of the two kinds of response don't go together; what they inherit does. */
export function writableOf(response: FeedResponse): Writable {
  return response;
}

/** Ends a response as no server should, each HTTP version in its own way. */
export function breakOff(
  response: FeedResponse,
  how: "cut" | "garbage_chunk" | "goaway" | "rst_stream",
): void {
  if (response instanceof ServerResponse) {
    const { socket } = response;
    // What was written before has to be out: destroying throws it away.
    if (how === "garbage_chunk") response.write("", () => socket?.end("no size at all\r\n"));
    else response.write("\n", () => socket?.destroy());
    return;
  }
  const { stream } = response;
  switch (how) {
    case "cut":
      stream.session?.destroy();
      return;
    case "goaway":
      stream.session?.goaway(constants.NGHTTP2_NO_ERROR);
      stream.close(constants.NGHTTP2_CANCEL);
      return;
    case "rst_stream":
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      return;
    case "garbage_chunk":
      stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
  }
}
