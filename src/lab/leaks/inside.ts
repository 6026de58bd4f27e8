/** What is behind the lab's door: answers of a gateway's process about itself, over its IPC channel. */
import { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { getHeapStatistics, queryObjects, writeHeapSnapshot } from "node:v8";
import { Gateway } from "#app/gateway.ts";
import { Connection } from "#downstream/connection.ts";
import { HubEvent } from "#hub/hub-event.ts";
import type { DoorGreeting, DoorQuestion, InsideSample } from "./door-protocol.ts";

type Class = new (...args: never[]) => object;

/** The counted classes: what a connection, an event or a link is made of, and what leaks usually hang from. */
const CLASSES: readonly (readonly [string, Class])[] = [
  ["Connection", Connection as unknown as Class],
  ["Socket", Socket],
  ["Function", Function],
  ["Timeout", timeoutClass()],
  ["HubEvent", HubEvent as unknown as Class],
  ["Promise", Promise],
  ["Map", Map],
  ["AbortSignal", AbortSignal],
];

let gateway: Gateway | null = null;

/** Answers questions from now on, and tells where the gateway listens once it does. */
export function openDoor(ask: (message: { id: number; body: unknown }) => void): void {
  if (globalThis.gc === undefined) throw new Error("the lab's door needs --expose-gc");
  const open = Gateway.open.bind(Gateway);
  Gateway.open = async (config, options) => {
    gateway = await open(config, options);
    ask({ id: 0, body: { url: gateway.url } satisfies DoorGreeting });
    return gateway;
  };
  process.on("message", async ({ id, body }: { id: number; body: DoorQuestion }) => {
    const answer = body.do === "sample" ? await sample(body.turn) : snapshot(body.file);
    if (process.connected) ask({ id, body: answer });
  });
  // The parent has died: nobody is left who would end this process.
  process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
  // Listening would keep a process alive that has drained.
  process.channel?.unref();
}

async function sample(turn: number | null): Promise<InsideSample> {
  await collect();
  const heap = getHeapStatistics();
  const { external, arrayBuffers } = process.memoryUsage();
  const stats = gateway?.stats();
  const books: Record<string, number> = {};
  if (stats !== undefined) {
    const { connections, ...rest } = stats;
    Object.assign(books, rest, { sse: connections.sse, websocket: connections.websocket });
  }
  const { opened, closed } = gateway?.totals() ?? { opened: 0, closed: 0 };
  const reclaimed = gateway?.sweep() ?? 0;
  return {
    heapUsed: heap.used_heap_size,
    external,
    arrayBuffers,
    malloced: heap.malloced_memory,
    resources: countOf(process.getActiveResourcesInfo()),
    books,
    opened,
    closed,
    reclaimed,
    classes: turn === null ? {} : countOne(CLASSES[turn % CLASSES.length] as readonly [string, Class]),
  };
}

function snapshot(file: string): string {
  globalThis.gc?.();
  return writeHeapSnapshot(file);
}

/** Twice, with a turn between: what the first finds dead may hold memory until its clean-up has run. */
async function collect(): Promise<void> {
  globalThis.gc?.();
  await nextTurn();
  globalThis.gc?.();
}

function countOne([name, one]: readonly [string, Class]): Record<string, number> {
  return { [name]: queryObjects(one, { format: "count" }) };
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function timeoutClass(): Class {
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  return timer.constructor as Class;
}
