import type { Grants, Identity } from "#auth/identity.ts";
import { mayReceive } from "#auth/policy.ts";
import type { Gap, GapPart } from "#hub/hub.ts";
import { encodeSseEvent } from "#protocol/sse-encode.ts";
import type { Desk } from "./desk.ts";
import { cursorAt } from "./sse-resume.ts";

/** Topics of one pattern that a client is told by their names; of more it is told the pattern. */
const NAMES_MAX = 256;

/**
 * Tells a client that events are missing which a feed could not bring: from its cursor on a resume is exact again. When a
 * feed's only link is lost, thousands of clients are told of thousands of topics at once: so what one may know is found
 * out once for all with the same grants, and the frame is shared as well.
 *
 * @returns null when it concerns nothing that the client may have
 */
export function feedGapFrame(desk: Desk, identity: Identity, gap: Gap): Buffer | null {
  const lists = gap.parts
    .map((part) => permitted(desk, identity, gap, part))
    .filter(({ length }) => length > 0);
  const [only] = lists;
  if (only === undefined) return null;
  if (lists.length > 1) return encode(desk, [...new Set(lists.flat())], gap);
  let frame = frames.get(only);
  if (frame === undefined) {
    frame = encode(desk, only, gap);
    frames.set(only, frame);
  }
  return frame;
}

/** Names of the part that the client may know: it may have their events. The same list for all with the same grants. */
function permitted(desk: Desk, identity: Identity, gap: Gap, part: GapPart): readonly string[] {
  let byGrants = permittedTo.get(part);
  if (byGrants === undefined) {
    byGrants = new WeakMap();
    permittedTo.set(part, byGrants);
  }
  let names = byGrants.get(identity.subscribe);
  if (names === undefined) {
    const { selector } = part;
    const isPermitted = (name: string) =>
      mayReceive(identity, { topics: [name], private: gap.private }, selector, desk.access);
    if (part.names.length <= NAMES_MAX) names = part.names.filter(isPermitted);
    else names = part.names.some(isPermitted) ? [selector.pattern] : [];
    byGrants.set(identity.subscribe, names);
  }
  return names;
}

function encode({ hub }: Desk, topics: readonly string[], gap: Gap): Buffer {
  const id = cursorAt(hub, gap.sequence);
  const data = { topics, after: cursorAt(hub, gap.after), resumed: id };
  return encodeSseEvent({ id, type: "gap", data: JSON.stringify(data), retryMs: null });
}

/** Parts, and so lists, are of one gap only. */
const permittedTo = new WeakMap<GapPart, WeakMap<Grants, readonly string[]>>();
const frames = new WeakMap<readonly string[], Buffer>();
