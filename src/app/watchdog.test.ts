import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { testDesk } from "../../test/helpers/downstream-desk.ts";
import { mutedConnection } from "../../test/helpers/muted-connection.ts";
import { Watchdog } from "./watchdog.ts";

const LIMIT = 1000;

function rig(usedAtStart = 100) {
  const clock = new VirtualClock();
  const desk = testDesk({ clock });
  const lines: string[] = [];
  const tell = (_: object, message: string) => void lines.push(message);
  const log: Logger = { debug: tell, info: tell, warn: tell, error: tell };
  const memory = { used: usedAtStart, heap: 0, collected: 0 };
  const watchdog = new Watchdog({
    ...desk,
    log,
    memory: {
      residentBytes: () => memory.used,
      heapShare: () => memory.heap,
      collect: () => void memory.collected++,
    },
    limitBytes: () => LIMIT,
  });
  const admitted = () => desk.registry.admit("192.0.2.1", null, desk.limits, false);
  return { clock, desk, lines, memory, watchdog, admitted };
}

test("watchdog: near the limit nobody new is let in, and again afterwards", () => {
  const { clock, memory, admitted, watchdog, lines } = rig();
  clock.advance(10_000);
  assert.equal(admitted(), null);
  memory.used = 860;
  clock.advance(250);
  assert.equal(admitted(), "memory");
  assert.equal(memory.collected, 1);
  memory.used = 500;
  clock.advance(2300);
  assert.equal(admitted(), null);
  assert.equal(watchdog.severity, 0);
  assert.ok(lines.includes("memory runs short") && lines.includes("memory is there again"));
});

test("watchdog: the log and the states are trimmed, and get their bounds back", () => {
  const { clock, desk, memory } = rig();
  const publish = (count: number) => {
    for (let index = 0; index < count; index++)
      desk.hub.publish({ topics: [`/t/${index}`], data: "x".repeat(10_000), state: "last" });
  };
  publish(2000);
  const before = desk.hub.stats();
  memory.used = 940;
  clock.advance(400);
  const trimmed = desk.hub.stats();
  assert.ok(trimmed.logBytes <= 2 ** 23 && trimmed.logBytes < before.logBytes);
  assert.ok(trimmed.stateBytes <= 2 ** 19 && trimmed.stateBytes < before.stateBytes);
  memory.used = 100;
  clock.advance(10_000);
  publish(2000);
  assert.deepEqual(desk.hub.stats().stateBytes, before.stateBytes);
  assert.ok(desk.hub.stats().logBytes > trimmed.logBytes);
});

test("watchdog: what one turn of the event loop takes shuts the doors in that turn, and changes nothing under its hands", () => {
  const { clock, desk, memory, watchdog, admitted } = rig();
  clock.advance(10_000);
  const before = desk.hub.stats();
  memory.used = 990;
  for (let index = 0; index < 20; index++) desk.hub.publish({ topics: ["/t"], data: "x".repeat(10_000) });
  assert.equal(admitted(), "memory");
  assert.equal(memory.collected, 1);
  assert.equal(desk.hub.stats().logEvents, before.logEvents + 20);
  mutedConnection(desk);
  clock.advance(0);
  assert.equal(watchdog.shed, 1);
});

test("watchdog: past the last share the heaviest are sent away, until memory is there", () => {
  const { clock, desk, memory, watchdog } = rig();
  const connections = Array.from({ length: 100 }, () => mutedConnection(desk));
  memory.used = 990;
  clock.advance(600);
  assert.equal(watchdog.shed, 10);
  assert.equal(desk.counters.closed.of("sse:memory_pressure"), 10);
  memory.used = 500;
  clock.advance(60_000);
  assert.equal(watchdog.shed, 10);
  assert.equal(connections.filter(({ closed }) => closed === null).length, 90);
  assert.deepEqual(Object.fromEntries(watchdog.measures.entries()), {
    close: 1,
    collect: 2,
    trim: 1,
    shed: 1,
  });
});

test("watchdog: the engine's own bound on its heap counts as the limit does", () => {
  const { clock, memory, admitted } = rig();
  memory.heap = 0.9;
  clock.advance(250);
  assert.equal(admitted(), "memory");
});

test("watchdog: a limit that the gateway nearly fills by itself is told at the start", () => {
  assert.match(rig(800).lines[0] ?? "", /set it higher/);
  assert.deepEqual(rig(500).lines, []);
});

test("watchdog: once disposed of it looks no more", () => {
  const { clock, memory, watchdog, admitted } = rig();
  watchdog[Symbol.dispose]();
  memory.used = 2000;
  clock.advance(10_000);
  assert.equal(admitted(), null);
});
