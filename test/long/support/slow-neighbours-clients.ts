import { SystemClock } from "#base/system-clock.ts";
import { serveCrew } from "./crew-member.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { machineMs, noteIn } from "./note.ts";
import { type ClientObserver, Cut, type Door, type RawClient } from "./raw-client.ts";
import { RawSseClient } from "./raw-sse-client.ts";
import { RawWebSocketClient } from "./raw-websocket-client.ts";
import { holdsWithin } from "./waiting.ts";

/** A process of clients that read and time what comes, or stop reading. */
export type NeighboursCommand =
  /** Answers how many did not get in. */
  | { readonly do: "open"; readonly door: Door; readonly tokens: readonly string[] }
  /** They are there, and take nothing any more. */
  | { readonly do: "stop reading" }
  | { readonly do: "leave" }
  /** What was timed until now is forgotten. */
  | { readonly do: "time" }
  /** Answers `NeighboursTally`, when all have a number or a time has passed. */
  | { readonly do: "tally"; readonly number: number; readonly withinMs: number };

export interface NeighboursTally {
  /** Counts of a `LatencyHistogram`. */
  readonly counts: readonly number[];
  /** Clients that have not got the number. */
  readonly behind: number;
  /** Clients that were ended by the gateway, or could not get in, since the process's start. */
  readonly ended: number;
  /** Events that did not come, or came twice or out of order. */
  readonly wrong: number;
}

const AT_ONCE = 100;
const COME_MS_MAX = 60_000;

const clock = new SystemClock();
const last = new Map<RawClient, number>();
let latencies = new LatencyHistogram();
let ended = 0;
let wrong = 0;

const observer: ClientObserver = {
  began(client: RawClient): void {
    last.set(client, 0);
  },
  noted(client: RawClient, text: string, start: number): void {
    const { number, sentMs } = noteIn(text, start);
    latencies.record(machineMs() - sentMs);
    const before = last.get(client) ?? 0;
    if (before > 0 && number !== before + 1) wrong++;
    last.set(client, number);
  },
  ended(): void {
    ended++;
  },
};

serveCrew<NeighboursCommand>(async (command) => {
  switch (command.do) {
    case "open":
      return await open(command.door, command.tokens);
    case "stop reading":
      for (const client of last.keys()) client.stopReading();
      return null;
    case "leave":
      for (const client of last.keys()) client.cut(Cut.reset);
      last.clear();
      return null;
    case "time":
      latencies = new LatencyHistogram();
      return null;
    case "tally": {
      const behind = () => [...last.values()].filter((number) => number < command.number).length;
      await holdsWithin(clock, command.withinMs, () => behind() === 0);
      return { counts: latencies.counts, behind: behind(), ended, wrong } satisfies NeighboursTally;
    }
  }
});

async function open(door: Door, tokens: readonly string[]): Promise<number> {
  const clients = tokens.map((token, index) =>
    index % 2 === 0 ? new RawSseClient(door, token, observer) : new RawWebSocketClient(door, token, observer),
  );
  for (let start = 0; start < clients.length; start += AT_ONCE) {
    const batch = clients.slice(start, start + AT_ONCE);
    for (const client of batch) client.come();
    await holdsWithin(clock, COME_MS_MAX, () => batch.every(({ isUp }) => isUp));
  }
  return clients.filter(({ isUp }) => !isUp).length;
}
