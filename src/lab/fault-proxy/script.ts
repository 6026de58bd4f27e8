import type { Random } from "#base/random.ts";

/** A direction of a connection, as the client sees it: `up` to the target, `down` from it. */
export type Direction = "up" | "down";

/**
 * A place in one direction of a connection. `bytes`: after so many; 0 is at once. `events`: after so many events of
 * an HTTP/1.1 event stream (`down` only); `inside` goes on to the next event's data: past its beginning (`event`), or
 * past the first byte of its first character that has several (`character`).
 */
export type Mark =
  | { readonly bytes: number }
  | { readonly events: number; readonly inside?: "event" | "character" };

/** Faults that happen at a mark. The default mark is `{ bytes: 0 }`, the default direction `down`. */
export type MarkedFault = {
  readonly direction?: Direction;
  readonly at?: Mark;
} & (
  | { readonly do: MarkedEnd }
  /** Turns over the bits of `mask` (default all) in so many bytes (default 1). */
  | { readonly do: "corrupt"; readonly bytes?: number; readonly mask?: number }
);

/**
 * `reset`: TCP reset, to both sides. `truncate`: FIN to whom the direction leads, and the connection is given up.
 * `close_half`: the same FIN, but the other direction goes on. `silence`: nothing more gets through, not even an end,
 * while the connection stays up: half-open.
 */
export type MarkedEnd = "reset" | "truncate" | "close_half" | "silence";

/** Faults of the whole direction. */
export type PaceFault = { readonly direction?: Direction } /** Everything comes so much later. */ & (
  | { readonly do: "delay"; readonly ms: number }
  /** So many bytes get through at a time. */
  | { readonly do: "trickle"; readonly bytes: number; readonly everyMs: number }
);

export type Fault = MarkedFault | PaceFault;

/** What happens to one connection; nothing, if it is empty. */
export type ConnectionScript = readonly Fault[];

/** Which script a connection gets. `index`: how many the proxy accepted before it. */
export type Script = (index: number) => ConnectionScript;

export function isPaceFault(fault: Fault): fault is PaceFault {
  return fault.do === "delay" || fault.do === "trickle";
}

/** The n-th connection gets the n-th script, those after the last get none. For tests. */
export function inTurn(...scripts: readonly ConnectionScript[]): Script {
  return (index) => scripts[index] ?? [];
}

export interface SeededScriptOptions {
  /** Fewest and most events before the fault. Default 10 and 200. */
  readonly events?: readonly [min: number, max: number];
  /** Each is as likely as the others; name one twice to have it twice as often. Default: resets between two events. */
  readonly kinds?: readonly SeededKind[];
}

export type SeededKind =
  | "reset"
  | "reset_inside_event"
  | "reset_inside_character"
  | "silence"
  | "truncate"
  | "truncate_inside_event";

/**
 * Every connection meets its end after a number of events that chance gives; the same seed gives the same
 * ends. For tests and soaks.
 */
export function seededScript(random: Random, options: SeededScriptOptions = {}): Script {
  const { events: [min, max] = [10, 200], kinds = ["reset"] } = options;
  return () => {
    const events = min + Math.floor(random() * (max - min + 1));
    const kind = kinds[Math.floor(random() * kinds.length)] ?? "reset";
    switch (kind) {
      case "reset_inside_event":
        return [{ do: "reset", at: { events, inside: "event" } }];
      case "reset_inside_character":
        return [{ do: "reset", at: { events, inside: "character" } }];
      case "truncate_inside_event":
        return [{ do: "truncate", at: { events, inside: "event" } }];
      default:
        return [{ do: kind, at: { events } }];
    }
  };
}
