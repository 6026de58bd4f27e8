import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram, Tally } from "#base/counters.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import type { Hub } from "#hub/hub.ts";
import { ErrorGroups } from "#ops/error-groups.ts";
import type { FeedView, GatewayViews } from "#ops/views.ts";
import { FeedCounters } from "#upstream/feed-counters.ts";
import { PastFeeds } from "../past-feeds.ts";
import { Sampler } from "./sampler.ts";

/** A sampler of a gateway that has nothing but one feed, `quotes`, which can be replaced as a reload does. */
function stage() {
  const past = new PastFeeds();
  let counters = new FeedCounters();
  const stats = () => ({ keysWanted: 0, keysLingering: 0, keysQuarantined: 0, links: [] });
  const views = {
    downstream: {
      opened: new Tally(),
      closed: new Tally(),
      resets: new Tally(),
      published: new Tally(),
      deliveries: {},
      errors: new Tally(),
      slowConsumers: new Tally(),
    },
    connections: () => ({ open: {}, subscribers: {}, queuedBytes: 0, limit: 1 }),
    feeds: (): FeedView[] => [{ name: "quotes", counters, stats }],
    pastFeeds: () => past.sums(),
    deliveryLagS: new Histogram([1]),
    authFailures: new Tally(),
    errors: new Tally(),
  } as unknown as GatewayViews;
  const hub = { stats: () => ({ topics: 0, logBytes: 0 }) } as unknown as Hub;
  const errors = new ErrorGroups();
  const sampler = new Sampler({ views, hub, errors, clock: new VirtualClock() });
  return {
    sampler,
    errors,
    counters: () => counters,
    replace() {
      past.ending(counters);
      past.ended(counters);
      counters = new FeedCounters();
    },
  };
}

test("sampler: faults of a feed that replaces another become errors from its first one on", () => {
  const { sampler, errors, counters, replace } = stage();
  counters().faults.add("not_json", 5);
  sampler.tick();
  assert.equal(errors.total, 5);
  replace();
  sampler.tick();
  assert.equal(errors.total, 5);
  counters().faults.add("not_json", 2);
  sampler.tick();
  assert.equal(errors.total, 7, "fewer than the one before had");
  replace();
  counters().faults.add("not_json", 2);
  sampler.tick();
  assert.equal(errors.total, 9, "as many as the one before had, within the same second");
  sampler.tick();
  assert.equal(errors.total, 9);
});

test("sampler: what feeds have counted does not fall when one is replaced", () => {
  const { sampler, counters, replace } = stage();
  counters().events = 10;
  counters().gaps = 2;
  counters().reconnects.add("reset", 3);
  counters().faults.add("not_json", 4);
  const seen = () => {
    const { published, gaps, reconnects, errors } = sampler.now().readings;
    return [published, gaps, reconnects, errors];
  };
  assert.deepEqual(seen(), [10, 2, 3, 4]);
  replace();
  assert.deepEqual(seen(), [10, 2, 3, 4]);
  counters().events = 1;
  assert.deepEqual(seen(), [11, 2, 3, 4]);
});
