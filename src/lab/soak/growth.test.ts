import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import type { InsideSample } from "../leaks/door-protocol.ts";
import { suspicions } from "../leaks/suspicion.ts";
import { growthIn } from "./growth.ts";
import { lookOf, type Sample } from "./sample.ts";

interface Leak {
  /** MiB of the heap an hour. */
  readonly heap?: number;
  readonly timersPerSecond?: number;
  readonly minutes?: number;
}

/**
 * A life as an hour at 72 shows it: a look each ten seconds; in phases of half a minute buffers outside the heap go up by
 * megabytes; the heap grows a little by right.
 */
function lifeOf(seed: number, { heap = 0, timersPerSecond = 0, minutes = 18 }: Leak): Sample[] {
  const random = seededRandom(seed);
  let opened = 100_000;
  let load = 0;
  return Array.from({ length: minutes * 6 }, (_, at): Sample => {
    if (at % 3 === 0) load = random();
    opened += Math.round(5000 + load * 2400);
    const lifeMs = 150_000 + at * 10_000;
    const connected = Math.round(250 + load * 90 + random() * 20);
    const hours = lifeMs / 3_600_000;
    const timers = Math.round(16 + random() * 3 + (timersPerSecond * lifeMs) / 1000);
    const inside: Partial<InsideSample> = {
      heapUsed: (41 + connected * 0.002 + random() * 0.2 + (0.5 + heap) * hours) * 2 ** 20,
      external: (15 + load * 8 + random()) * 2 ** 20,
      malloced: 5e5,
      resources: { TCPSocketWrap: connected + Math.round(random() * 8) },
      books: { sockets: connected, sse: Math.round(connected * (0.45 + random() * 0.1)) },
      opened,
      classes: at % 8 === 3 ? { Timeout: timers } : {},
    };
    const outside = { descriptors: { socket: connected + Math.round(random() * 12) } };
    return { lifeMs, inside, outside, links: 6 + Math.round(random()) } as unknown as Sample;
  });
}

const named = (life: readonly Sample[]) => growthIn(life).map(({ what, per }) => `${what} by the ${per}`);

test("growth: what leaks by the clock is found however fast connections come, where it is nothing for each of them", () => {
  const life = lifeOf(1, { heap: 14, timersPerSecond: 2 });
  assert.deepEqual(suspicions(life.map(lookOf)), []);
  assert.deepEqual(named(life).sort(), ["bytes:heap by the hour", "objects:Timeout by the hour"]);
  const [heap] = growthIn(life).filter(({ what }) => what === "bytes:heap");
  assert.ok(Math.abs((heap?.slope.slope ?? 0) / 2 ** 20 - 14.5) < 1);
});

test("growth: a clean life, with buffers that go up and down with the load, raises nothing", () => {
  for (let seed = 1; seed <= 50; seed++)
    for (const minutes of [9, 18]) assert.deepEqual(named(lifeOf(seed, { minutes })), [], `seed ${seed}`);
});

test("growth: a short life is not judged over time, and what grew by the connection is told once", () => {
  assert.deepEqual(named(lifeOf(1, { heap: 14, timersPerSecond: 2, minutes: 7 })), []);
  // 300 bytes and a timer a connection.
  const life = lifeOf(1, { heap: 620, timersPerSecond: 620 });
  assert.deepEqual(named(life).sort(), [
    "bytes:collected by the connection",
    "bytes:heap by the hour",
    "objects:Timeout by the connection",
  ]);
});
