import { useEffect, useRef, useState } from "preact/hooks";
import type { Consumer, ConsumerEvents } from "./consumer.ts";
import { followBySse } from "./sse.ts";
import { followByWebSocket } from "./websocket.ts";

export type Transport = "sse" | "websocket";

export interface Told {
  readonly number: number;
  readonly atMs: number;
  readonly kind: "event" | "note" | "gap";
  readonly cursor: string;
  readonly text: string;
  /** It was published while the connection was away. */
  readonly replayed: boolean;
}

interface State {
  readonly standing: "idle" | "connecting" | "open" | "cut" | "ended";
  readonly topic: string;
  readonly transport: Transport;
  readonly cursor: string;
  readonly received: number;
  readonly resumes: number;
  readonly told: readonly Told[];
  readonly why: string | null;
}

export interface Follow extends State {
  readonly start: (topic: string, transport: Transport) => void;
  readonly cut: () => void;
  readonly stop: () => void;
}

/** How long the connection stays away after a cut, so that something is published meanwhile. */
const AWAY_MS = 3000;
const TOLD_MAX = 200;
/** What comes so soon after a resume is what was missed. */
const REPLAY_MS = 250;

const IDLE: State = {
  standing: "idle",
  topic: "",
  transport: "sse",
  cursor: "",
  received: 0,
  resumes: 0,
  told: [],
  why: null,
};

/** One client that comes back by itself after a cut, and what it was told. */
export function useFollow(): Follow {
  const [state, setState] = useState<State>(IDLE);
  const held = useRef<State>(IDLE);
  const consumer = useRef<Consumer | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const numbers = useRef(0);
  const resumedAt = useRef(Number.NEGATIVE_INFINITY);

  const change = (by: Partial<State>) => {
    held.current = { ...held.current, ...by };
    setState(held.current);
  };
  const tell = (kind: Told["kind"], text: string, cursor = "", replayed = false) => {
    const item = { number: numbers.current++, atMs: Date.now(), kind, cursor, text, replayed };
    change({ told: [...held.current.told.slice(-TOLD_MAX + 1), item] });
  };
  const events: ConsumerEvents = {
    opened: ({ resumed, recovered }) => {
      if (resumed) resumedAt.current = performance.now();
      change({ standing: "open", why: null, resumes: held.current.resumes + Number(resumed) });
      if (!resumed) tell("note", "connected");
      else if (recovered === true) tell("note", "resumed: nothing was missed");
      else tell("gap", "resumed, but the log does not reach back so far: events may be missing");
    },
    event: ({ cursor, data }) => {
      change({ cursor, received: held.current.received + 1 });
      tell("event", data, cursor, performance.now() - resumedAt.current < REPLAY_MS);
    },
    cursor: (cursor) => change({ cursor }),
    gap: (detail) => tell("gap", `events are missing: ${detail}`),
    ended: (why) => {
      tell("note", `ended: ${why}`);
      change({ standing: "cut", why });
      comeBack();
    },
  };
  const connect = () => {
    const { topic, transport, cursor } = held.current;
    if (held.current.standing !== "cut") change({ standing: "connecting" });
    consumer.current = (transport === "sse" ? followBySse : followByWebSocket)(topic, cursor, events);
  };
  const comeBack = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(connect, AWAY_MS);
  };
  const end = () => {
    clearTimeout(timer.current);
    consumer.current?.cut();
    consumer.current = null;
  };
  useEffect(() => end, []);
  return {
    ...state,
    start: (topic, transport) => {
      end();
      numbers.current = 0;
      resumedAt.current = Number.NEGATIVE_INFINITY;
      change({ ...IDLE, topic, transport });
      connect();
    },
    cut: () => {
      end();
      tell("note", "cut by you; it comes back in 3 s");
      change({ standing: "cut" });
      comeBack();
    },
    stop: () => {
      end();
      change({ standing: "idle" });
    },
  };
}
