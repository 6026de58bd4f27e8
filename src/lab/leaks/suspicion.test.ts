import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { type Look, suspicions } from "./suspicion.ts";

/** A look each second, 100 connections a second. */
function looks(count: number, amounts: (second: number) => Record<string, number>): Look[] {
  return Array.from({ length: count }, (_, second) => ({
    atMs: second * 1000,
    opened: second * 100,
    connected: 100,
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
  assert.ok(Math.abs((timers?.slope.slope ?? 0) - 1) < 0.01);
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

test("suspicion: a busy machine that has few connections come, and not evenly, hides no leak of a small object each", () => {
  const random = seededRandom(3);
  let opened = 0;
  const uneven = Array.from({ length: 24 }, (_, at): Look => {
    // All at once, then none, then a few.
    opened += at % 6 === 0 ? 1500 + random() * 1000 : random() * 30;
    const connected = Math.floor(100 + random() * 600);
    return {
      atMs: at * 7000,
      opened,
      connected,
      amounts: { "bytes:collected": 60e6 + connected * 7000 + opened * 120 + random() * 20_000 },
    };
  });
  const [found] = suspicions(uneven);
  assert.equal(found?.what, "bytes:collected");
  assert.ok(Math.abs((found?.slope.slope ?? 0) - 120) < 20, `${found?.slope.slope}`);
  const clean = uneven.map((look) => ({
    ...look,
    amounts: { "bytes:collected": 60e6 + look.connected * 7000 + random() * 20_000 },
  }));
  assert.deepEqual(suspicions(clean), []);
});
