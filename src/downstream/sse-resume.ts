import type { Hub, LogReader } from "#hub/hub.ts";
import { formatCursor, parseCursor } from "#protocol/cursor.ts";
import { EARLIEST } from "#protocol/mercure.ts";
import type { SubscribeRequest } from "#protocol/mercure-subscribe.ts";

/** Where a stream begins. */
export interface StreamStart {
  /**
   * `fresh`: nothing was asked for; states, then live. `recovered`: exactly after the id that was asked for.
   * `earliest`: all that is held was asked for. `unrecovered`: the id is unknown or too old; states, all that is held,
   * and the client is told.
   */
  readonly kind: "fresh" | "recovered" | "earliest" | "unrecovered";
  /** Sequence after which events follow. */
  readonly afterSequence: number;
  /** Reads them; null: there is nothing to read, the stream is live at once. */
  readonly reader: LogReader | null;
  /** The field `Mercure-Last-Event-ID`; null: not sent. */
  readonly lastEventId: string | null;
}

/** Decides where a stream begins (Mercure, "Reconciliation"). The caller has subscribed already, in the same turn. */
export function startOf(hub: Hub, request: SubscribeRequest): StreamStart {
  const { matchers, lastEventId } = request;
  if (lastEventId === null) {
    return { kind: "fresh", afterSequence: hub.head, reader: null, lastEventId: null };
  }
  const sequence = lastEventId === EARLIEST ? null : sequenceOf(hub, lastEventId);
  if (sequence !== null) {
    const reader = hub.openReader(matchers, sequence);
    if (reader !== null) return { kind: "recovered", afterSequence: sequence, reader, lastEventId };
  }
  const afterSequence = hub.readableAfter(matchers);
  return {
    kind: lastEventId === EARLIEST ? "earliest" : "unrecovered",
    afterSequence,
    reader: hub.openReader(matchers, afterSequence),
    lastEventId: EARLIEST,
  };
}

/** The cursor at a sequence, as an event id. */
export function cursorAt(hub: Hub, sequence: number): string {
  return formatCursor({ epoch: hub.epoch, sequence });
}

function sequenceOf(hub: Hub, id: string): number | null {
  const cursor = parseCursor(id);
  if (cursor === null) return hub.sequenceOfId(id);
  return cursor.epoch === hub.epoch ? cursor.sequence : null;
}
