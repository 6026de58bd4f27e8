import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "./api.ts";
import type { History, Overview } from "./types.ts";

export type Step = "1s" | "10s" | "1m";
export type Series = History["series"];

export interface Past {
  readonly times: readonly number[];
  readonly series: Series;
  readonly stepMs: number;
}

const LENGTH_MAX = 600;
const COUNTED = [
  "opened",
  "closed",
  "resets",
  "published",
  "deliveries",
  "errors",
  "authFailures",
  "slowConsumers",
  "reconnects",
  "gaps",
] as const;

/** The server's history, with each second's overview put to its end; longer steps are asked for anew when one is over. */
export function useHistory(step: Step, overview: Overview | null): Past | null {
  const [past, setPast] = useState<Past | null>(null);
  const before = useRef<Overview | null>(null);
  useEffect(() => {
    let over = false;
    const load = async () => {
      try {
        const history = await ask<History>("GET", `/history?step=${step}`);
        if (!over) setPast(pastOf(history));
      } catch {
        // The overview says that the gateway can't be reached.
      }
    };
    void load();
    const everyMs = { "1s": 60_000, "10s": 10_000, "1m": 60_000 }[step];
    const timer = setInterval(() => {
      if (!document.hidden) void load();
    }, everyMs);
    const seen = () => {
      if (!document.hidden) void load();
    };
    document.addEventListener("visibilitychange", seen);
    return () => {
      over = true;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [step]);
  useEffect(() => {
    const last = before.current;
    before.current = overview;
    if (overview === null || last === null || step !== "1s") return;
    setPast((held) => (held === null ? null : appended(held, overview, last)));
  }, [overview, step]);
  return past;
}

function pastOf({ startAtMs, stepMs, series }: History): Past {
  const { length } = series.opened;
  return { times: Array.from({ length }, (_, n) => startAtMs + n * stepMs), series, stepMs };
}

function appended(past: Past, now: Overview, last: Overview): Past {
  const lastTime = past.times.at(-1);
  if (lastTime === undefined || now.atMs - lastTime < past.stepMs || now.atMs <= last.atMs) return past;
  const share = 1000 / (now.atMs - last.atMs);
  const values: Record<string, number | null> = {
    connectionsSse: now.connections.sse,
    connectionsWebsocket: now.connections.websocket,
    subscribers: now.subscribers,
    topics: now.topics,
    linksOpen: now.links.open ?? 0,
    linksNotOpen: Object.values(now.links).reduce((sum, each) => sum + each, 0) - (now.links.open ?? 0),
    residentBytes: now.memory.residentBytes,
    heapBytes: null,
    queuedBytes: now.queuedBytes,
    logBytes: now.log.bytes,
    lagP99Ms: now.lagMs.p99 ?? 0,
    cpu: now.cpu,
  };
  for (const name of COUNTED) values[name] = Math.max(0, (now[name] - last[name]) * share);
  const series = Object.fromEntries(
    Object.entries(past.series).map(([name, column]) => [
      name,
      [...column.slice(-LENGTH_MAX + 1), values[name] ?? null],
    ]),
  ) as Series;
  return { ...past, times: [...past.times.slice(-LENGTH_MAX + 1), now.atMs], series };
}
