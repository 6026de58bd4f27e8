import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FeedRig } from "../../test/helpers/feed-rig.ts";
import { GAP_PACE_MS } from "./gap-pace.ts";

describe("losses", () => {
  for (const ids of [true, false]) {
    test(`losses: an event that is too large is passed over, and is a gap, ${ids ? "with" : "without"} event ids`, async () => {
      await using rig = await FeedRig.open({ server: { ids } });
      await rig.hold("A");
      rig.publish("A");
      await rig.caughtUp();
      rig.server.publish("A", { text: "x".repeat(100_000) });
      await rig.until("the gap", () => rig.gaps.length === 1 && rig.isServed("A"));
      rig.publish("A", "A");
      await rig.caughtUp();
      await rig.pass(2000);
      assert.equal(rig.gaps.length, 1);
      assert.deepEqual(rig.gaps[0]?.topics, ["/quotes/A"]);
      assert.equal(rig.feed.counters.gaps, 1);
      assert.equal(rig.feed.counters.drops.of("event_too_large"), ids ? 2 : 1);
      rig.assertExact();
    });
  }

  test("losses: what comes and can't be mapped is a gap at once, a burst of it one more, and each is counted", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    rig.publish("A");
    await rig.caughtUp();
    rig.server.write('data: {"sym":"A"}\n\n');
    rig.publish("A");
    await rig.caughtUp();
    assert.equal(rig.gaps.length, 1, "told before what comes next");
    assert.deepEqual(rig.gaps[0]?.topics, ["/quotes/A"]);
    assert.equal(rig.gaps[0]?.info.reason, "unmapped");
    rig.server.write("data: {\n\n".repeat(100));
    await rig.until("all of them", () => rig.feed.counters.faults.total === 101);
    assert.equal(rig.gaps.length, 1);
    rig.clock.advance(GAP_PACE_MS.min);
    await rig.pass(1);
    assert.equal(rig.gaps.length, 2);
    assert.equal(rig.feed.counters.gaps, 2);
  });

  test("losses: an event whose type is too long is a gap, known or not", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    rig.publish("A");
    await rig.caughtUp();
    rig.server.publish("A", {}, "t".repeat(2000));
    rig.publish("A");
    await rig.caughtUp();
    assert.equal(rig.feed.counters.faults.of("type_too_long"), 1);
    assert.deepEqual(
      rig.gaps.map(({ info }) => info.reason),
      ["unmapped"],
    );
  });

  test("losses: what can't be mapped and never could is nobody's loss", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    rig.publish("A");
    rig.server.write('event: ping\ndata: {"t":1}\n\nevent: hello\ndata: hi\n\ndata: {"symbol":""}\n\n');
    rig.publish("A");
    await rig.caughtUp();
    assert.equal(rig.feed.counters.faults.total, 3);
    assert.equal(rig.gaps.length, 0);
  });

  test("losses: a thousand drops of one link leave one socket, one timer and no listener more", async () => {
    const before = process.getActiveResourcesInfo().length;
    await using rig = await FeedRig.open({ retryMaxMs: 20 });
    await rig.hold("A");
    const seen = () => ({
      timers: rig.clock.timersPending,
      sockets: rig.feed.stats().sockets,
      links: rig.feed.stats().links.length,
      server: rig.server.sockets,
      listeners: listenersOfProcess(),
    });
    await rig.pass(2000);
    const first = seen();
    assert.equal(first.sockets, 1);
    for (let drop = 0; drop < 1000; drop++) {
      rig.server.resetAll();
      await rig.until("the drop", () => rig.feed.counters.drops.total > drop);
      await rig.until("the link", () => rig.isServed("A"));
    }
    rig.publish("A");
    await rig.caughtUp();
    await rig.pass(2000);
    assert.deepEqual(seen(), first);
    assert.equal(rig.feed.counters.resets, 1000);
    assert.deepEqual(rig.feed.stats().links[0]?.reconnectsByReason, { reset: 1000 });
    rig.assertExact();
    await rig.feed.close();
    assert.ok(process.getActiveResourcesInfo().length <= before + 2, "the server's own, no more");
  });
});

function listenersOfProcess(): number {
  return process.eventNames().reduce((sum, name) => sum + process.listenerCount(name as string), 0);
}
