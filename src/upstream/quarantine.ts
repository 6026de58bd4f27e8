import { backoffWindowMs } from "#base/backoff.ts";
import type { Random } from "#base/random.ts";
import type { LinkReason } from "./link-reason.ts";

/**
 * Keys whose requests a feed has rejected. A request for several keys may be rejected for one of them (an unknown
 * symbol answered 404), so it is halved, and each half asked apart, until good keys flow and bad ones stand alone.
 *
 * ```
 * rejected with others ──▶ suspected ──asked, accepted──▶ free
 *                           ▲     │ rejected alone
 *            due, asked ────┘     ▼
 *                 └──────────── convicted
 * ```
 *
 * Where there is no place for a link more, they are asked for together with keys that were accepted before, which
 * comes to the same: if that is rejected, they are to blame.
 *
 * Pure: it holds no socket and no timer, and says what may be asked when. One request at a time, `paceMinMs` apart;
 * further apart, up to `paceMaxMs`, while the feed accepts nothing at all, since then the keys are hardly to blame.
 * Whoever was convicted in such a time is asked again as soon as the feed accepts anything. Halving n keys of which
 * all are bad costs 2n - 2 requests; one bad key among n costs about 2 log2(n).
 *
 * @typeParam Trace what a group of keys brings along to be asked with, such as the last event id
 */
export class Quarantine<Trace> {
  readonly #settings: QuarantineSettings;
  readonly #suspected: Group<Trace>[] = [];
  /** The one to be asked first comes first. */
  readonly #convicted = new Map<string, Conviction<Trace>>();
  /** Convicted keys that were let go: wanted again before their time, they are not tried on others anew. */
  readonly #remembered = new Map<string, number>();
  /** Rejections in a row while the feed accepted nothing. */
  #rejections = 0;
  #notBeforeMs = 0;
  #convictsNotBeforeMs = 0;
  #waryUntilMs = 0;

  constructor(settings: QuarantineSettings) {
    this.#settings = settings;
  }

  /** Keys that the feed rejects: they have no link but while they are asked for again. */
  get convicted(): number {
    return this.#convicted.size;
  }

  isConvicted(key: string): boolean {
    return this.#convicted.has(key);
  }

  /** Whether any key waits to be asked apart from others. */
  get hasSuspects(): boolean {
    return this.#suspected.length > 0;
  }

  /** Whether a key was rejected lately: new ones should be asked apart before they join others. */
  isWary(nowMs: number): boolean {
    return nowMs < this.#waryUntilMs || this.#suspected.length > 0 || this.#convicted.size > 0;
  }

  /**
   * A request was rejected.
   *
   * @param suspects the keys that may be to blame
   * @param asked how many keys the request asked for that may be to blame
   * @param acceptsOthers whether another link of the feed is open now, or was accepted with others of these keys
   */
  rejected(
    suspects: Group<Trace>,
    asked: number,
    acceptsOthers: boolean,
    nowMs: number,
    random: Random,
  ): void {
    const { paceMinMs, paceMaxMs, againMs } = this.#settings;
    this.#waryUntilMs = nowMs + againMs;
    this.#rejections = acceptsOthers ? 0 : this.#rejections + 1;
    // It takes some requests to part a single good key from many bad ones, and till then the feed accepts nothing.
    const windowMs = backoffWindowMs(Math.floor(this.#rejections / REJECTIONS_PER_STEP), {
      minMs: paceMinMs,
      maxMs: paceMaxMs,
    });
    // The lower half is left out: this is a pace, and not a wait that others share.
    this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + windowMs * (0.5 + 0.5 * random()));
    const { keys, trace } = suspects;
    const [only] = keys;
    if (asked === 1 && only !== undefined) {
      this.#convict(only, { dueMs: nowMs + againMs, trace, acceptedOthers: acceptsOthers });
      return;
    }
    const half = Math.ceil(keys.length / 2);
    for (const part of [keys.slice(0, half), keys.slice(half)]) {
      if (part.length > 0) this.#suspected.push({ keys: part, trace });
    }
  }

  /** Has keys asked apart that nobody has rejected yet. */
  vet(group: Group<Trace>): void {
    this.#suspected.push(group);
  }

  /** Whether a key that is wanted must stand alone, since it was convicted lately. Then it is held here from now on. */
  detain(key: string, trace: Trace, nowMs: number): boolean {
    const dueMs = this.#remembered.get(key);
    if (dueMs === undefined) return false;
    this.#remembered.delete(key);
    if (dueMs <= nowMs) return false;
    this.#convict(key, { dueMs, trace, acceptedOthers: true });
    return true;
  }

  /** The feed accepts something. Whom it rejected while it accepted nothing is asked again. */
  accepted(): void {
    this.#rejections = 0;
    const groups = new Map<Trace, string[]>();
    for (const [key, { trace, acceptedOthers }] of this.#convicted) {
      if (acceptedOthers) continue;
      this.#convicted.delete(key);
      const keys = groups.get(trace);
      if (keys === undefined) groups.set(trace, [key]);
      else keys.push(key);
    }
    const { keysMax } = this.#settings;
    for (const [trace, keys] of groups) {
      for (let at = 0; at < keys.length; at += keysMax) {
        this.#suspected.push({ keys: keys.slice(at, at + keysMax), trace });
      }
    }
  }

  /**
   * What to ask for now, by a request of its own, or null. It is not held here any more.
   *
   * @param keysMax most keys that there is room for
   * @param convicts whether convicted keys may be asked for, when nothing else is
   */
  next(nowMs: number, keysMax = Number.POSITIVE_INFINITY, convicts = true): Group<Trace> | null {
    const { paceMinMs, paceMaxMs } = this.#settings;
    if (nowMs < this.#notBeforeMs) return null;
    const group = this.#suspected.shift();
    if (group !== undefined) {
      this.#notBeforeMs = nowMs + paceMinMs / 2;
      const { keys, trace } = group;
      if (keys.length <= keysMax) return group;
      this.#suspected.unshift({ keys: keys.slice(keysMax), trace });
      return { keys: keys.slice(0, keysMax), trace };
    }
    if (!convicts) return null;
    const [first] = this.#convicted;
    if (first === undefined || nowMs < Math.max(first[1].dueMs, this.#convictsNotBeforeMs)) return null;
    const [key, { trace }] = first;
    this.#convicted.delete(key);
    this.#convictsNotBeforeMs = nowMs + paceMaxMs;
    return { keys: [key], trace };
  }

  /** The keys that `next` would answer, given room for any number; none while nothing is due. */
  due(nowMs: number): readonly string[] {
    if (this.dueMs === null || nowMs < this.dueMs) return [];
    const [group] = this.#suspected;
    return group === undefined ? [...this.#convicted.keys().take(1)] : group.keys;
  }

  /** When `next` may have something; null: nothing is held. */
  get dueMs(): number | null {
    if (this.#suspected.length > 0) return this.#notBeforeMs;
    const [first] = this.#convicted.values();
    return first === undefined ? null : Math.max(first.dueMs, this.#convictsNotBeforeMs, this.#notBeforeMs);
  }

  /** The request failed otherwise: nothing is learnt, and others are asked first. */
  postpone(group: Group<Trace>, nowMs: number): void {
    this.#suspected.push(group);
    this.#notBeforeMs = nowMs + this.#settings.paceMaxMs;
  }

  /** Nobody wants the key any more. */
  release(key: string): void {
    const conviction = this.#convicted.get(key);
    if (conviction !== undefined) {
      this.#convicted.delete(key);
      this.#remembered.set(key, conviction.dueMs);
      const [oldest] = this.#remembered.keys();
      if (this.#remembered.size > REMEMBERED_MAX) this.#remembered.delete(oldest as string);
      return;
    }
    for (const [at, group] of this.#suspected.entries()) {
      if (!group.keys.includes(key)) continue;
      const keys = group.keys.filter((each) => each !== key);
      if (keys.length > 0) this.#suspected[at] = { ...group, keys };
      else this.#suspected.splice(at, 1);
      return;
    }
  }

  #convict(key: string, conviction: Conviction<Trace>): void {
    this.#convicted.delete(key);
    this.#convicted.set(key, conviction);
  }
}

/** Keys to be asked for together, by a request of their own. */
export interface Group<Trace> {
  readonly keys: readonly string[];
  readonly trace: Trace;
}

export interface QuarantineSettings {
  /** About so much time is between two requests, in milliseconds, and at least half of it. */
  readonly paceMinMs: number;
  /** The same at the slowest, and between two requests for convicted keys. */
  readonly paceMaxMs: number;
  /** When a convicted key is asked for again, in milliseconds. */
  readonly againMs: number;
  /** Most keys of a request. */
  readonly keysMax: number;
}

/** Convicted keys that may be held: a feed with more takes no new ones. */
export const CONVICTED_MAX = 10_000;

/** A link whose request was rejected, as `judgeRejection` sees it. */
export interface RejectedLink {
  /** Its keys; `proven`: a request that asked for it was accepted once. */
  readonly keys: readonly { readonly key: string; readonly proven: boolean }[];
  /** Keys that its request asked for and that were let go since. */
  readonly gone: number;
  /** Whether it was opened to find out whether its keys are to blame. */
  readonly isProbe: boolean;
  /** Rejections in a row, this one included. */
  readonly rejections: number;
  /** Whether another link of the feed is open. */
  readonly acceptsOthers: boolean;
  /** Whether other keys wait for a place. */
  readonly othersWait: boolean;
}

export type Judgement =
  /** It tries again at the slowest pace, as it is: its keys are hardly to blame, or are in nobody's way. */
  | { readonly do: "stay" }
  /** It is given up. A new link takes `keep` at once, where there are any; `suspects` are asked apart. */
  | { readonly do: "part"; readonly keep: readonly string[]; readonly suspects: readonly string[] };

/**
 * What becomes of a link whose request was rejected. Keys that were accepted once are less to blame than others; when
 * there are no others, and the feed accepts nothing else, it is more likely that the feed is wrong for a while, so
 * that the link gets one more chance as it is, which loses nothing of what it can resume.
 */
export function judgeRejection(link: RejectedLink): Judgement {
  const { keys, gone, isProbe, rejections, acceptsOthers, othersWait } = link;
  const all = keys.map(({ key }) => key);
  if (isProbe) return { do: "part", keep: [], suspects: all };
  const proven = keys.filter((each) => each.proven).map(({ key }) => key);
  const isUndisturbing = !acceptsOthers && !othersWait;
  if (keys.length === 0 || (isUndisturbing && keys.length === 1)) return { do: "stay" };
  // The others are gone already, and were more to blame.
  if (proven.length === keys.length && gone > 0) return { do: "part", keep: proven, suspects: [] };
  if (proven.length === keys.length) {
    return isUndisturbing && rejections < 2 ? { do: "stay" } : { do: "part", keep: [], suspects: all };
  }
  return { do: "part", keep: proven, suspects: all.filter((key) => !proven.includes(key)) };
}

/**
 * Whether a request that was broken off without an answer may have been so for the length of its URL. Few servers take
 * less than 8 KiB.
 */
export function mayBeForLength(reason: LinkReason, urlLength: number): boolean {
  return urlLength > URL_LENGTH_SAFE && BROKEN_OFF.has(reason);
}

const URL_LENGTH_SAFE = 8000;

/** REFUSED_STREAM and GOAWAY are what Node's HTTP/2 server does; others reset the connection. */
const BROKEN_OFF: ReadonlySet<LinkReason> = new Set([
  "stream_refused",
  "stream_reset",
  "protocol",
  "reset",
  "truncated",
]);

/** Rejections in a row, with nothing accepted, that double the time between two requests. */
const REJECTIONS_PER_STEP = 8;

interface Conviction<Trace> {
  readonly dueMs: number;
  readonly trace: Trace;
  /** False: the feed accepted nothing at all at that time. */
  readonly acceptedOthers: boolean;
}

/** Convicted keys that are remembered after they were let go. */
const REMEMBERED_MAX = 4096;
