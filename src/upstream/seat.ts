import type { Timer } from "#base/clock.ts";
import type { GapPace } from "./gap-pace.ts";
import type { Handover } from "./handover.ts";
import type { Link } from "./link.ts";
import type { FeedEvent, GapInfo } from "./ports.ts";
import type { Rejoin } from "./rejoin.ts";

/** An event of a key, as a link has brought it. */
export interface Arrival {
  readonly event: FeedEvent;
  /** The event's own id; null: it had none. */
  readonly id: string | null;
  /** What it is known by on every link. */
  readonly identity: string;
}

export interface Loss {
  readonly reason: GapInfo["reason"];
  readonly atMs: number;
  /** What is missing is since the gateway's life before. */
  readonly sinceLifeBefore?: boolean;
}

/** A link in its pool: which keys it asks for, and what it is about to take over or give up. */
export interface Seat {
  readonly link: Link;
  /** What its last request asked for, or its first will. */
  keys: readonly string[];
  /** Of its last request. */
  urlLength: number;
  /** Which of the feed's URLs it asks next. */
  urlAt: number;
  /** When it is to be replaced by a link to the first URL; null: it is one, or is not open. */
  failsBackAtMs: number | null;
  /** The replacement that it is the new link of. */
  takingOver: Takeover | null;
  /** The replacement that it is an old link of. */
  givingUp: Takeover | null;
  /** Since when and why nothing came, after something had; null: nothing is missing. */
  lost: Loss | null;
  /** It has reached its age, and is to be replaced when it has settled. */
  aged: boolean;
  /** It asks for keys that may be rejected, apart from others. Once accepted it is a link like others. */
  isProbe: boolean;
  /** Rejections in a row. */
  rejections: number;
  /** Where it can resume if it has had no event of its own when it breaks; null: it has had one, or nowhere. */
  fallback: Fallback | null;
  /** When gaps are told for events that could not be mapped. */
  readonly gapPace: GapPace;
  /** Its last event id is of the gateway's life before, and not accepted yet: perhaps too old to be. */
  resumesLifeBefore: boolean;
}

/** A key that is held: which link it comes by. In a feed without keys in its URL, one route stands for all. */
export interface Route {
  readonly key: string;
  /** The owner; null while the key waits for a place. */
  seat: Seat | null;
  /** Null, but while it goes from one link to another, and as long as the new one may repeat what the old one brought. */
  handover: { readonly heir: Seat; readonly events: Handover<Arrival> } | null;
  /** Null, but while it is not known whether this link, which resumes, repeats what was published of the key. */
  rejoin: { readonly seat: Seat; readonly events: Rejoin<Arrival> } | null;
  /** Id of the last event that was published of the key, also before it was let go; "": it had none; null: none was. */
  lastId: string | null;
  /** Where it stopped in the gateway's life before; "" when that is not known, or has been made use of. */
  resumeAfter: string;
  /** What came up to there is still held, so that not to resume from there is a gap. */
  continues: boolean;
  /** A request that asked for the key was accepted, and none rejected since because of it. */
  proven: boolean;
  /** It is in the quarantine: it gets no place but by a probe. */
  quarantined: boolean;
}

/** What keys of a link that was rejected bring along to the next one. */
export interface Trace {
  readonly lastEventId: string;
  readonly lost: Seat["lost"];
}

/** Where one of the links stood that a link has taken over from. */
export interface Fallback {
  readonly lastEventId: string;
  /** Keys of that link: the other ones may be repeated. */
  readonly keys: ReadonlySet<string>;
}

/** Links being replaced by one that is opened before they are closed. */
export interface Takeover {
  readonly heir: Seat;
  readonly from: readonly Seat[];
  /** Whether the new link asks to continue after the old one's last event id. */
  readonly resumes: boolean;
  /** Routes that are still the old links'. */
  readonly pending: Set<Route>;
  /** Running since the new link is open. */
  deadline: Timer | null;
}

/** Whether the link has nothing to take over or to give up. */
export function isSettled(seat: Seat): boolean {
  return seat.takingOver === null && seat.givingUp === null;
}
