import assert from "node:assert/strict";
import { SystemClock } from "#base/system-clock.ts";
import type { CloseReason } from "#protocol/close-reason.ts";
import { type TestDesk, type TestDeskOptions, testDesk } from "./downstream-desk.ts";
import { until } from "./feed-server.ts";
import { RawWebSocket, WebSocketListener } from "./websocket-listener.ts";

export interface Stage extends AsyncDisposable {
  readonly desk: TestDesk;
  readonly listener: WebSocketListener;
  dial(headers?: Record<string, string>, query?: string): Promise<RawWebSocket>;
  connected(): Promise<RawWebSocket>;
  /** How connections have ended so far. */
  ends(): Record<string, number>;
}

export async function stage(options: Partial<TestDeskOptions> = {}): Promise<Stage> {
  const clock = new SystemClock();
  const desk = testDesk({ clock, ...options });
  const listener = await WebSocketListener.open(desk);
  return {
    desk,
    listener,
    dial: (headers, query) => RawWebSocket.dial(listener.port, headers, query),
    connected: () => RawWebSocket.connected(listener.port),
    ends: () => Object.fromEntries([...desk.counters.closed.entries()].filter(([, count]) => count > 0)),
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await until("every socket is gone", () => desk.registry.sockets === 0);
      desk.wheel[Symbol.dispose]();
      assert.equal(desk.hub.stats().subscribers, 0, "no subscriber is left");
      assert.equal(desk.counters.opened.total, desk.counters.closed.total);
    },
  };
}

/** The connection ended for this reason, once, and the client was sent this code. */
export async function endsWith(
  on: Stage,
  client: RawWebSocket,
  code: number | null,
  reason: CloseReason,
): Promise<void> {
  const ended = await client.ended();
  assert.equal(ended?.code ?? null, code);
  await until("the connection's end", () => on.desk.registry.sockets === 0);
  assert.deepEqual(on.ends(), { [`websocket:${reason}`]: 1 });
}
