import type { Random } from "#base/random.ts";

/** Everything that a client may do on its way in and out, with its weight among all. */
const ACTS = {
  /** SSE: subscribes, and leaves by a FIN or by a reset. */
  "sse fin": 20,
  "sse reset": 14,
  /** Asks for what the log still holds of everything, by a pattern. */
  "sse resume": 4,
  /** Its request comes in three pieces, with pauses. */
  "sse slow start": 3,
  /** Says FIN and keeps its own side open until the gateway closes. */
  "sse half closed": 3,
  /** The first half of a request, then a reset. */
  "sse torn request": 4,
  /** A request, and a reset before its answer. */
  "sse gone before answer": 4,
  "sse bad token": 3,
  /** Reads nothing of large events until the gateway gives it up. */
  "sse deaf": 0.05,
  /** WebSocket: subscribes, and leaves by a close frame, by a FIN, or by a reset. */
  "websocket close": 14,
  "websocket fin": 4,
  "websocket reset": 10,
  "websocket resume": 3,
  "websocket slow start": 3,
  /** Answers no ping until the gateway gives it up. */
  "websocket mute": 0.5,
  "websocket torn handshake": 3,
  "websocket gone before answer": 3,
  /** Handshake, and a reset before its first command. */
  "websocket gone before connect": 3,
  /** A reset while its token is checked. */
  "websocket gone while checked": 3,
  "websocket bad token": 3,
  "websocket broken frame": 1,
  "websocket no json": 1,
  /** A TCP connection without a byte, reset. */
  "tcp reset": 3,
  "tcp garbage": 1,
  /** A wrong password by `POST /auth/login`. */
  "wrong password": 0.02,
} as const;
type Act = keyof typeof ACTS;

/** One client's life, decided before it begins. */
export interface Cycle {
  readonly act: Act;
  /** 127.0.0.`address`. */
  readonly address: number;
  /** Whether it signs in, and asks for topics of the feed rather than public ones. */
  readonly isSignedIn: boolean;
  /** Number of the first topic that it asks for, and how many it asks for. */
  readonly topic: number;
  readonly topics: number;
  /** How long it stays once it has what it came for, or waits between pieces, in milliseconds. */
  readonly staysMs: number;
}

const TOPICS = 200;
/** Longer than the system's buffers and the gateway's deadline take. */
const DEAF_MS = 15_000;
const TOTAL = Object.values(ACTS).reduce((sum, weight) => sum + weight, 0);

/** Acts that take the gateway's deadlines to end: of a short run they would be nearly all. */
export const SLOW_ACTS: ReadonlySet<Act> = new Set<Act>(["sse deaf", "websocket mute"]);

/** The next cycle. Pure but for the source of chance. @param without acts in whose place clients leave by a FIN */
export function nextCycle(random: Random, without: ReadonlySet<Act> = new Set()): Cycle {
  const drawn = actAt(random() * TOTAL);
  const act = without.has(drawn) ? "sse fin" : drawn;
  return {
    act,
    address: 2 + Math.floor(random() * 200),
    isSignedIn: random() < 0.5,
    topic: Math.floor(random() * TOPICS),
    topics: random() < 0.8 ? 1 : 3,
    staysMs: act === "sse deaf" ? DEAF_MS : random() < 0.8 ? 0 : Math.floor(random() * 50),
  };
}

/** The act at a place among all of them, laid side by side by weight. */
function actAt(place: number): Act {
  let end = 0;
  for (const [act, weight] of Object.entries(ACTS)) {
    end += weight;
    if (place < end) return act as Act;
  }
  return "sse fin";
}
