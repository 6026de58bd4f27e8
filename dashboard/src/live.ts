import { useEffect, useState } from "preact/hooks";
import { ask, faultText } from "./api.ts";
import { readStream } from "./consume/event-stream.ts";
import type { Overview } from "./types.ts";

export interface LiveOverview {
  readonly overview: Overview | null;
  readonly fault: string | null;
}

const RETRY_MS = 1000;
const RETRY_MAX_MS = 15_000;

/** The overview as the gateway tells it every second, over its own stream. Comes back by itself; rests while hidden. */
export function useLiveOverview(): LiveOverview {
  const [state, setState] = useState<LiveOverview>({ overview: null, fault: null });
  useEffect(() => {
    let controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    let failures = 0;
    let running = false;
    const run = async () => {
      if (running || over || document.hidden) return;
      running = true;
      controller = new AbortController();
      try {
        const first = await ask<Overview>("GET", "/overview");
        setState({ overview: first, fault: null });
        await readStream("/.well-known/mercure?match=/.streamkeeper/overview", {
          signal: controller.signal,
          item: ({ data }) => {
            failures = 0;
            setState({ overview: JSON.parse(data) as Overview, fault: null });
          },
        });
      } catch (error) {
        if (!controller.signal.aborted) setState((held) => ({ ...held, fault: faultText(error) }));
      }
      running = false;
      failures++;
      if (!over && !document.hidden)
        timer = setTimeout(run, Math.min(RETRY_MS * 2 ** (failures - 1), RETRY_MAX_MS));
    };
    const seen = () => {
      clearTimeout(timer);
      if (document.hidden) controller.abort();
      else void run();
    };
    document.addEventListener("visibilitychange", seen);
    void run();
    return () => {
      over = true;
      clearTimeout(timer);
      controller.abort();
      document.removeEventListener("visibilitychange", seen);
    };
  }, []);
  return state;
}
