import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { type Look, suspicions } from "./suspicion.ts";

/** A look each second, 100 connections a second. */
function looks(count: number, amounts: (second: number) => Record<string, number>): Look[] {
  return Array.from({ length: count }, (_, second) => ({
    atMs: second * 1000,
    opened: second * 100,
    amounts: amounts(second),
  }));
}

test("suspicion: what grows with turnover is named, what goes up and down is not", () => {
  const random = seededRandom(1);
  const found = suspicions(
    looks(40, (second) => ({
      "bytes:collected": 40e6 + second * 100 * 200 + random() * 1e6,
      "descriptors:socket": 100 + random() * 50,
      "objects:Timeout": 30 + second * 100,
    })),
  );
  assert.deepEqual(found.map(({ what }) => what).sort(), ["bytes:collected", "objects:Timeout"]);
  const timers = found.find(({ what }) => what === "objects:Timeout");
  assert.ok(Math.abs((timers?.slopePerConnection ?? 0) - 1) < 0.01);
});

test("suspicion: what grows by less than a leak would is let be, and so are a few looks", () => {
  assert.deepEqual(suspicions(looks(40, (second) => ({ "bytes:collected": 40e6 + second * 100 * 3 }))), []);
  assert.deepEqual(suspicions(looks(11, (second) => ({ "objects:Timeout": second * 100 }))), []);
  assert.deepEqual(suspicions([]), []);
});

test("suspicion: an amount that is looked at in turns is judged by its own looks", () => {
  const found = suspicions(
    looks(100, (second): Record<string, number> => (second % 5 === 0 ? { "objects:Map": second * 50 } : {})),
  );
  assert.deepEqual(
    found.map(({ what }) => what),
    ["objects:Map"],
  );
});
