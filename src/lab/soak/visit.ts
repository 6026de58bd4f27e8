import type { Random } from "#base/random.ts";
import type { SoakTransport } from "./client.ts";

/** What becomes of a connection that only visits. */
export interface Visit {
  readonly transport: SoakTransport;
  readonly key: string;
  /**
   * `let_in`: it leaves once it is let in. `event`: after its first event. `stays`: after a while. `vanishes`: while it
   * is being let in. `silent`: it answers no ping any more (WebSocket), or reads no more (SSE).
   */
  readonly until: "let_in" | "event" | "stays" | "vanishes" | "silent";
  /** Longest stay, in milliseconds. */
  readonly staysMs: number;
  readonly leaves: "orderly" | "reset";
  /** It comes back with its cursor after so many milliseconds, by the other transport or the same; null: it does not. */
  readonly returnsAfterMs: number | null;
}

/** Shares of visits by what they wait for; most are short, since turnover is what they are for. */
const SHARES = { let_in: 0.62, event: 0.25, stays: 0.07, vanishes: 0.055, silent: 0.005 } as const;
const RETURNING_SHARE = 0.15;
const ORDERLY_SHARE = 0.35;
/** Longest wait for a first event, in milliseconds. */
const EVENT_MS_MAX = 400;

/** Draws a visit. Pure but for the chance that comes in. */
export function drawVisit(random: Random, keys: readonly string[]): Visit {
  const until = drawUntil(random());
  const isSilent = until === "silent";
  return {
    transport: random() < 0.5 ? "sse" : "websocket",
    key: keys[Math.floor(random() * keys.length)] as string,
    until,
    staysMs:
      until === "stays"
        ? 500 + random() * 2500
        : until === "vanishes"
          ? random() * 5
          : isSilent
            ? 0
            : EVENT_MS_MAX,
    leaves: random() < ORDERLY_SHARE ? "orderly" : "reset",
    returnsAfterMs:
      (until === "event" || until === "stays") && random() < RETURNING_SHARE ? 5 + random() * 500 : null,
  };
}

function drawUntil(chance: number): Visit["until"] {
  let left = chance;
  for (const [until, share] of Object.entries(SHARES)) {
    left -= share;
    if (left < 0) return until as Visit["until"];
  }
  return "let_in";
}
