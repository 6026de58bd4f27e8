import type { HubMemory, RememberedEvent } from "#hub/hub.ts";
import { CLOSING_FILE, decodeClosing, type LogClosing } from "./log-closing.ts";
import { type LogDisk, MARK_FILE } from "./log-disk.ts";
import { decodeMark, type LogMark } from "./log-mark.ts";
import { readRecords } from "./log-record.ts";
import { decodeSegmentHead, SEGMENT_HEAD_BYTES, type Segment } from "./log-segment.ts";

/**
 * What the life before has left.
 *
 * - `none`: nothing.
 * - `closed`: it ended in order; everything is known, and resumes are as exact as they were.
 * - `level`: the process ended somehow, but every event was in the files by then. Events stand; which numbers were given
 *   to gaps is not known, so that resumes from before the last number without an event are not exact any more.
 * - `broken`: events were given out that are not in the files, or the files are damaged. What is there is held, and no
 *   cursor from before is good.
 */
export type RecoveryKind = "none" | "closed" | "level" | "broken";

export interface Recovery {
  readonly kind: RecoveryKind;
  /** Null: there is to be a new one. */
  readonly epoch: string | null;
  readonly memory: HubMemory;
  readonly events: readonly RememberedEvent[];
  readonly segments: readonly Segment[];
  /** With `closed`. */
  readonly closing: LogClosing | null;
  /** Bytes that were cut off, since they are not whole records; and those after them. */
  readonly droppedBytes: number;
}

/** Reads what is there, and cuts off what is not whole. Throws what the system says. */
export async function recover(disk: LogDisk, bootId: string | null): Promise<Recovery> {
  const markBytes = disk.read(MARK_FILE);
  const mark = markBytes === null ? null : decodeMark(markBytes);
  const found = await readSegments(disk);
  if (mark === null && found.segments.length === 0 && found.droppedBytes === 0) return NOTHING;
  const { events, after, lastEvent, droppedBytes, segments } = found;
  const kind = judge(mark, found, bootId);
  const closingBytes = kind === "closed" ? disk.read(CLOSING_FILE) : null;
  const closing = closingBytes === null ? null : decodeClosing(closingBytes);
  const kept = { events, segments, droppedBytes, closing };
  // Files that begin later than the log did have lost some between, and the closing page knows nothing of that.
  const isWhole = closing !== null && after <= closing.memory.evictedThrough;
  if (mark !== null && kind === "closed" && isWhole)
    return { ...kept, kind, epoch: mark.epoch, memory: closing.memory };
  const isLevel = mark !== null && kind === "level";
  const head = Math.max(lastEvent, mark?.head ?? 0);
  const floor = Math.max(after, lastHole(after, events, head));
  const memory = {
    head,
    evictedThrough: after,
    forgottenThrough: floor,
    topics: [],
    gaps: { gaps: [], forgottenThrough: floor },
  };
  return { ...kept, kind: isLevel ? "level" : "broken", epoch: isLevel ? mark.epoch : null, memory };
}

interface FoundSegments {
  readonly segments: Segment[];
  readonly events: RememberedEvent[];
  /** No event up to here is in the files. */
  readonly after: number;
  readonly lastEvent: number;
  readonly droppedBytes: number;
}

const NOTHING: Recovery = {
  kind: "none",
  epoch: null,
  memory: {
    head: 0,
    evictedThrough: 0,
    forgottenThrough: 0,
    topics: [],
    gaps: { gaps: [], forgottenThrough: 0 },
  },
  events: [],
  segments: [],
  closing: null,
  droppedBytes: 0,
};

/** How far what was found can be trusted. Pure. */
function judge(
  mark: LogMark | null,
  { lastEvent, droppedBytes }: FoundSegments,
  bootId: string | null,
): RecoveryKind {
  if (mark === null || droppedBytes > 0 || lastEvent < mark.lastEvent || lastEvent > mark.head)
    return "broken";
  if (mark.state === "closed") return "closed";
  const isSameBoot = bootId !== null && mark.bootId === bootId;
  return mark.state === "level" && isSameBoot ? "level" : "broken";
}

/** The last sequence number that no event has; 0 for none. */
function lastHole(after: number, events: readonly RememberedEvent[], head: number): number {
  let follows = head + 1;
  for (const { sequence } of events.toReversed()) {
    if (sequence !== follows - 1) break;
    follows = sequence;
  }
  return follows - 1 > after ? follows - 1 : 0;
}

async function readSegments(disk: LogDisk): Promise<FoundSegments> {
  const segments: Segment[] = [];
  let events: RememberedEvent[] = [];
  let after = 0;
  let lastEvent = 0;
  let droppedBytes = 0;
  for (const { name, bytes: size } of disk.segments()) {
    const bytes = droppedBytes > 0 ? null : disk.read(name);
    const begins = bytes === null ? null : decodeSegmentHead(bytes);
    if (bytes === null || begins === null || begins < lastEvent) {
      droppedBytes += Math.max(1, size);
      await disk.remove(name);
      continue;
    }
    if (begins > lastEvent) {
      // What is between was let go before it was written, and so was all before it.
      events = [];
      after = begins;
      for (const { name } of segments.splice(0)) await disk.remove(name);
    }
    lastEvent = begins;
    const end = readRecords(bytes, SEGMENT_HEAD_BYTES, (record) => {
      if (record.kind !== "event") return;
      lastEvent = record.event.sequence;
      events.push(record.event);
    });
    if (end < bytes.length) {
      droppedBytes += bytes.length - end;
      disk.truncate(name, end);
    }
    segments.push({ name, after: begins, lastEvent, bytes: end });
  }
  return { segments, events, after, lastEvent, droppedBytes };
}
