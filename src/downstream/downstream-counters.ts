import { Histogram, Tally } from "#base/counters.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { Transport } from "./transport.ts";

const DURATION_BOUNDS_S = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 3 * 86400, 7 * 86400];

/** How a resume ended: exactly; not, and the client was told; or nothing to resume was asked for. */
export type ResumeOutcome = "recovered" | "unrecovered";

/** Plain numbers that downstream keeps and metrics read. */
export class DownstreamCounters {
  readonly opened = new Tally<Transport>();
  readonly closed = new Tally(ofEachTransport(Object.values(CloseReason)));
  readonly durationS: Readonly<Record<Transport, Histogram>> = {
    sse: new Histogram(DURATION_BOUNDS_S),
    websocket: new Histogram(DURATION_BOUNDS_S),
  };
  /** Events handed to connections' queues. */
  readonly deliveries: Record<Transport, number> = { sse: 0, websocket: 0 };
  readonly slowConsumers = new Tally(["disconnect", "conflate"]);
  readonly resumes = new Tally(ofEachTransport<ResumeOutcome>(["recovered", "unrecovered"]));
  readonly resets = new Tally<"downstream">();
  readonly sseDrops = new Tally<CloseReason>();
  /** Requests and commands refused, by protocol code. */
  readonly errors = new Tally();
  /** Events published by clients. */
  readonly published = new Tally(["mercure", "websocket"]);
  bytesWritten = 0;
}

function ofEachTransport<Key extends string>(keys: readonly Key[]): `${Transport}:${Key}`[] {
  return Object.values(Transport).flatMap((transport) =>
    keys.map((key): `${Transport}:${Key}` => `${transport}:${key}`),
  );
}
