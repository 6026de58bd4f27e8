import type { Random } from "#base/random.ts";

/** What the feed sees of a request. */
export interface FeedRequest {
  /** How many requests came before it. */
  readonly index: number;
  readonly path: string;
  /** Null: every key. */
  readonly keys: ReadonlySet<string> | null;
  /** "" when there was none. */
  readonly lastEventId: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly httpVersion: string;
  /** Wall-clock time in milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** An event stream: the numbered events, and perhaps something that ends or spoils it. */
export interface StreamAnswer {
  readonly kind: "stream";
  /** Default `text/event-stream`; null sends no such header. */
  readonly contentType?: string | null;
  /** Compressed, whatever the request accepts. */
  readonly gzip?: boolean;
  /** `turn` comes after so many events of this stream. Default 0. */
  readonly events?: number;
  /** Default: nothing, it goes on. */
  readonly turn?: StreamTurn;
}

/**
 * What a stream turns into. `end`: an orderly end. `cut`: the connection is closed in the middle of the response.
 * `silence`: nothing more. `endless_line`, `endless_event`: data without end, on one line or on many.
 * `endless_comments`: legal, and no event. `garbage_chunk`: a chunk size that is none (HTTP/1.1; else RST_STREAM).
 * `goaway`, `rst_stream`: HTTP/2's; over HTTP/1.1 the same as `cut`.
 */
export type StreamTurn =
  | "end"
  | "cut"
  | "silence"
  | "endless_line"
  | "endless_event"
  | "endless_comments"
  | "garbage_chunk"
  | "goaway"
  | "rst_stream";

export type Answer =
  | StreamAnswer
  | {
      readonly kind: "status";
      readonly status: number;
      /** Seconds, or a date. */
      readonly retryAfter?: number | Date;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** `loop`: each leads on to the next, without end. Default status 307. */
  | { readonly kind: "redirect"; readonly status?: number; readonly to: string | "loop" }
  /** Nothing is answered. */
  | { readonly kind: "silence" }
  /** The response's head comes byte by byte (HTTP/1.1; else as `silence`). */
  | { readonly kind: "slow_head"; readonly everyMs: number }
  /** Events without a response's head before them, or a head without end (HTTP/1.1; else RST_STREAM). */
  | { readonly kind: "no_head" }
  | { readonly kind: "endless_head" };

/** What a request gets. */
export type Answers = (request: FeedRequest) => Answer;

export const streamAnswer: StreamAnswer = { kind: "stream" };

/** The n-th request gets the n-th answer, those after the last get the stream. For tests. */
export function answersInTurn(...answers: readonly Answer[]): Answers {
  return ({ index }) => answers[index] ?? streamAnswer;
}

/**
 * A share of the requests gets one of the answers, each as likely as the others, the rest get the stream. The same
 * seed gives the same sequence. For tests and soaks.
 *
 * @param share from 0 to 1
 */
export function seededAnswers(random: Random, share: number, answers: readonly Answer[]): Answers {
  return () => {
    if (random() >= share) return streamAnswer;
    return answers[Math.floor(random() * answers.length)] ?? streamAnswer;
  };
}
