import type { Hub, HubEvent } from "#hub/hub.ts";
import type { SubscribeRequest } from "#protocol/mercure-subscribe.ts";
import { encodeSseCursor, encodeSseEvent, encodeSseOpening } from "#protocol/sse-encode.ts";
import { cursorAt } from "./sse-resume.ts";

/** What a stream carries beside the hub's events. See docs/adr/0002-cursor-in-heartbeats.md for the cursors. */

/** @param sequence the cursor to set; null: a frame with a cursor follows */
export function openingFrame(hub: Hub, retryMs: number, sequence: number | null): Buffer {
  return encodeSseOpening(retryMs, sequence === null ? null : cursorAt(hub, sequence));
}

/** Ends what goes before live events: from here on a resume is exact. */
export function liveFrame(hub: Hub, sequence: number): Buffer {
  return encodeSseCursor("live", cursorAt(hub, sequence));
}

/**
 * Tells a client that what it asked to resume from is not known any more, so that events may be missing: an event of
 * type `gap`, since a browser's scripts can't read the field `Mercure-Last-Event-ID`.
 */
export function gapFrame(hub: Hub, request: SubscribeRequest, sequence: number): Buffer {
  const data = {
    topics: request.matchers.map(({ pattern }) => pattern),
    after: request.lastEventId,
    resumed: cursorAt(hub, sequence),
  };
  return encodeSseEvent({ id: cursorAt(hub, 0), type: "gap", data: JSON.stringify(data), retryMs: null });
}

/**
 * A topic's state. Its id stands before every event: a client that is cut between two topics' states must get them
 * all again, and no sequence says which of them it has.
 */
export function stateFrame(hub: Hub, state: HubEvent): Buffer {
  let frame = stateFrames.get(state);
  if (frame === undefined) {
    frame = encodeSseEvent({ id: cursorAt(hub, 0), type: state.type, data: state.data, retryMs: null });
    stateFrames.set(state, frame);
  }
  return frame;
}

/** A heartbeat with the cursor reached. The same one goes to all clients until the next event. */
export function heartbeatFrame(hub: Hub, sequence: number, asEvent: boolean): Buffer {
  const id = cursorAt(hub, sequence);
  if (id !== heartbeat.id) {
    const event = encodeSseEvent({
      id,
      type: "heartbeat",
      data: JSON.stringify({ cursor: id }),
      retryMs: null,
    });
    heartbeat = { id, comment: encodeSseCursor("heartbeat", id), event };
  }
  return asEvent ? heartbeat.event : heartbeat.comment;
}

const stateFrames = new WeakMap<HubEvent, Buffer>();
let heartbeat: { id: string; comment: Buffer; event: Buffer } = {
  id: "",
  comment: Buffer.alloc(0),
  event: Buffer.alloc(0),
};
