import type { ErrorsAnswer } from "./admin/ports.ts";

/** Something that failed, or the end of a connection or link that nobody wished for. */
export type ErrorKind = "error" | "end";

export interface ErrorEntry {
  readonly kind: ErrorKind;
  /** Where it was met: `downstream`, `upstream`, `auth`, … */
  readonly room: string;
  /** From a closed list, or a system's or library's own. */
  readonly code: string;
  /** Whom it was met with: a client's address, a feed; "" without one. */
  readonly peer: string;
  /** What was said, in words. No secret in it. */
  readonly sample: string;
}

export interface ErrorGroupRecord extends ErrorEntry {
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/** Groups held; peers told apart for one code. Beyond them it is `others`, or the longest unseen goes. */
const GROUPS_MAX = 2000;
const PEERS_MAX = 50;
const SAMPLE_LENGTH_MAX = 300;
const MINUTES_KEPT = 60;
const MINUTE_MS = 60_000;
export const OTHERS = "others";

interface Group extends ErrorEntry {
  sample: string;
  count: number;
  firstAtMs: number;
  lastAtMs: number;
  dirty: boolean;
}

/** Errors and ends by room, code and peer: counts, first and last time, a sample. Bounded whatever comes; pure. */
export class ErrorGroups {
  /** The longest unseen first. */
  readonly #groups = new Map<string, Group>();
  readonly #peers = new Map<string, number>();
  readonly #minutes = new Map<number, number>();
  #total = 0;

  get size(): number {
    return this.#groups.size;
  }

  /** Everything that was added, and restored. */
  get total(): number {
    return this.#total;
  }

  add(entry: ErrorEntry, nowMs: number, count = 1): void {
    const group = this.#groupOf(entry, nowMs);
    group.sample = entry.sample.slice(0, SAMPLE_LENGTH_MAX);
    group.count += count;
    group.firstAtMs = Math.min(group.firstAtMs, nowMs);
    group.lastAtMs = nowMs;
    group.dirty = true;
    this.#total += count;
    this.#countMinute(Math.floor(nowMs / MINUTE_MS), count);
  }

  /** What was known before this life began. To be called before anything is added. */
  restore(records: readonly ErrorGroupRecord[]): void {
    for (const record of [...records].sort((one, other) => one.lastAtMs - other.lastAtMs)) {
      const group = this.#groupOf(record, record.firstAtMs);
      group.sample = record.sample;
      group.count += record.count;
      group.firstAtMs = Math.min(group.firstAtMs, record.firstAtMs);
      group.lastAtMs = Math.max(group.lastAtMs, record.lastAtMs);
      this.#total += record.count;
    }
  }

  /** Those that have changed since this was asked last. */
  takeChanged(): ErrorGroupRecord[] {
    const changed: ErrorGroupRecord[] = [];
    for (const group of this.#groups.values()) {
      if (!group.dirty) continue;
      group.dirty = false;
      changed.push(recordOf(group));
    }
    return changed;
  }

  /** They could not be kept: they are changed still. */
  giveBack(records: readonly ErrorGroupRecord[]): void {
    for (const record of records) {
      const group = this.#groups.get(keyOf(record));
      if (group !== undefined) group.dirty = true;
    }
  }

  /** The latest first. */
  list(search: string, limit: number): ErrorGroupRecord[] {
    const wanted = search.toLowerCase();
    const found: ErrorGroupRecord[] = [];
    for (const group of [...this.#groups.values()].sort((one, other) => other.lastAtMs - one.lastAtMs)) {
      if (found.length >= limit) break;
      const text = `${group.room} ${group.code} ${group.peer} ${group.sample}`.toLowerCase();
      if (text.includes(wanted)) found.push(recordOf(group));
    }
    return found;
  }

  /** How many came in each of the last 60 minutes, the oldest first. */
  minutes(nowMs: number): ErrorsAnswer["recent"] {
    const newest = Math.floor(nowMs / MINUTE_MS);
    return Array.from({ length: MINUTES_KEPT }, (_, n) => {
      const minute = newest - MINUTES_KEPT + 1 + n;
      return { minuteAtMs: minute * MINUTE_MS, count: this.#minutes.get(minute) ?? 0 };
    });
  }

  #countMinute(minute: number, count: number): void {
    const held = this.#minutes.get(minute);
    this.#minutes.set(minute, (held ?? 0) + count);
    if (held !== undefined) return;
    // All of them, and those to come as well: a clock that was set back leaves minutes that nothing would reach.
    for (const other of this.#minutes.keys()) {
      if (Math.abs(other - minute) >= MINUTES_KEPT) this.#minutes.delete(other);
    }
  }

  #groupOf(entry: ErrorEntry, nowMs: number): Group {
    let key = keyOf(entry);
    let held = this.#groups.get(key);
    let { peer } = entry;
    const codeKey = codeKeyOf(entry);
    if (held === undefined && peer !== OTHERS && (this.#peers.get(codeKey) ?? 0) >= PEERS_MAX) {
      peer = OTHERS;
      key = keyOf({ ...entry, peer });
      held = this.#groups.get(key);
    }
    if (held !== undefined) {
      this.#groups.delete(key);
      this.#groups.set(key, held);
      return held;
    }
    if (this.#groups.size >= GROUPS_MAX) this.#forgetOldest();
    const { kind, room, code, sample } = entry;
    const group = {
      kind,
      room,
      code,
      peer,
      sample,
      count: 0,
      firstAtMs: nowMs,
      lastAtMs: nowMs,
      dirty: false,
    };
    this.#groups.set(key, group);
    if (peer !== OTHERS) this.#peers.set(codeKey, (this.#peers.get(codeKey) ?? 0) + 1);
    return group;
  }

  #forgetOldest(): void {
    for (const [key, group] of this.#groups) {
      this.#groups.delete(key);
      const codeKey = codeKeyOf(group);
      if (group.peer !== OTHERS) {
        const left = (this.#peers.get(codeKey) ?? 1) - 1;
        if (left > 0) this.#peers.set(codeKey, left);
        else this.#peers.delete(codeKey);
      }
      return;
    }
  }
}

function keyOf({ kind, room, code, peer }: Omit<ErrorEntry, "sample">): string {
  return `${kind}\n${room}\n${code}\n${peer}`;
}

function codeKeyOf({ kind, room, code }: Pick<ErrorEntry, "kind" | "room" | "code">): string {
  return `${kind}\n${room}\n${code}`;
}

function recordOf({ kind, room, code, peer, sample, count, firstAtMs, lastAtMs }: Group): ErrorGroupRecord {
  return { kind, room, code, peer, sample, count, firstAtMs, lastAtMs };
}
