import assert from "node:assert/strict";
import { test } from "node:test";
import { FeedCounters } from "#upstream/feed-counters.ts";
import { PastFeeds } from "./past-feeds.ts";

function counted(events: number): FeedCounters {
  const counters = new FeedCounters();
  counters.events = events;
  counters.gaps = 2;
  counters.resets = 3;
  counters.reconnects.add("reset", 4);
  counters.drops.add("reset", 5);
  counters.faults.add("not_json", 6);
  return counters;
}

test("past feeds: one counts on until it has ended, then stays as it was, and counts once", () => {
  const past = new PastFeeds();
  const [first, second] = [counted(10), counted(100)];
  past.ending(first);
  past.ending(second);
  assert.equal(past.sums().events, 110);
  first.events++;
  first.drops.add("closed");
  assert.equal(past.sums().events, 111);
  for (let time = 0; time < 2; time++) past.ended(first);
  first.events++;
  const { events, gaps, resets, reconnects, drops, faults } = past.sums();
  assert.deepEqual([events, gaps, resets], [111, 4, 6]);
  assert.deepEqual(Object.fromEntries(reconnects.entries()), { reset: 8 });
  assert.deepEqual(Object.fromEntries(drops.entries()), { reset: 10, closed: 1 });
  assert.deepEqual(Object.fromEntries(faults.entries()), { not_json: 12 });
});
