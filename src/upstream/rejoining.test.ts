import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FeedRig } from "../../test/helpers/feed-rig.ts";
import { QUIET_MS } from "./pool.ts";
import { HANDOVER_MS } from "./takeovers.ts";

/** More than any memory of single events would hold. */
const MANY = 6000;

describe("keys that come back", () => {
  test("keys that come back: on a link that stands far behind, none of their events comes twice or late", async () => {
    await using rig = await openFull();
    rig.feed.want("K");
    await rig.until("K", () => rig.isServed("K"));
    rig.publish("K", "K");
    await rig.caughtUp();
    rig.assertExact(["K"]);
    rig.assertNoneTwice();
    assert.ok(rig.feed.counters.doubles >= MANY, "it was repeated");
  });

  test("keys that come back: without a new event the repeated ones are not taken for new", async () => {
    await using rig = await openFull();
    const before = rig.events.length;
    rig.feed.want("K");
    await rig.until("K", () => rig.isServed("K"));
    await rig.pass(2 * HANDOVER_MS);
    assert.equal(rig.events.length, before);
  });

  test("keys that come back: on a link that is past their last event, they go on when it has caught up", async () => {
    await using rig = await openFull();
    rig.publish("B");
    await rig.caughtUp();
    rig.feed.want("K");
    await rig.until("K", () => rig.isServed("K"));
    rig.publish("K");
    await rig.pass(HANDOVER_MS / 2);
    assert.equal(rig.lastOf("K") === rig.lastPublished("K"), false, "it may be a repeat");
    await rig.pass(HANDOVER_MS);
    rig.publish("K");
    await rig.caughtUp();
    rig.assertExact(["K", "B"]);
    assert.equal(rig.gaps.length, 0);
  });

  test("keys that come back: a full pool never has a link more, while it merges and when keys are asked for anew", async () => {
    await using rig = await FeedRig.open({ pool: { keysPerLink: 2, linksMax: 2, lingerMs: 100 } });
    for (const key of ["A", "B", "C", "D"]) rig.feed.want(key);
    await rig.until("all", () => rig.isServed("A", "B", "C", "D"));
    rig.publish("A", "B", "C", "D");
    await rig.caughtUp();
    for (let round = 0; round < 3; round++) {
      rig.feed.unwant("B");
      rig.feed.unwant("D");
      let at = 0;
      await rig.until("one link", () => {
        if (++at % 20 === 0) rig.publish("A", "C");
        return rig.feed.stats().links.length === 1;
      });
      rig.feed.want("B");
      rig.feed.want("D");
      await rig.until("all", () => rig.isServed("A", "B", "C", "D"));
      await rig.pass(QUIET_MS + HANDOVER_MS);
    }
    rig.publish("A", "B", "C", "D");
    await rig.caughtUp();
    assert.ok(rig.server.streamsPeak <= 2, `${rig.server.streamsPeak} streams`);
    assert.equal(rig.gaps.length, 0);
    rig.assertExact();
  });
});

describe("a link that has taken over in silence", () => {
  for (const [name, silent] of [
    ["merged links", "B"],
    ["merged links, the other one behind", "A"],
  ] as const) {
    test(`a link that has taken over in silence: broken before its first event, it goes on where one of the ${name} stood`, async () => {
      await using rig = await FeedRig.open({ server: { marksStart: false } });
      await rig.hold("A");
      await rig.hold("B");
      rig.publish("A", "B", "A", "B", silent === "A" ? "B" : "A");
      await rig.caughtUp();
      await rig.until("the merger", () => rig.server.streams === 1 && rig.feed.stats().links.length === 1);
      await rig.server.kill();
      rig.publish("A", "B");
      await rig.server.start();
      await rig.until("the link", () => rig.isServed("A", "B"));
      rig.publish("B", "A");
      await rig.caughtUp();
      assert.equal(rig.gaps.length, 0);
      rig.assertExact();
    });
  }

  test("a link that has taken over in silence: of a feed without ids its loss is a gap", async () => {
    await using rig = await FeedRig.open({ server: { ids: false } });
    await rig.hold("A");
    await rig.hold("B");
    rig.publish("A", "B");
    await rig.caughtUp();
    await rig.until("the merger", () => rig.server.streams === 1 && rig.feed.stats().links.length === 1);
    rig.server.resetAll();
    await rig.until("the gap", () => rig.gaps.length === 1);
    assert.deepEqual(rig.gaps[0]?.topics, ["/quotes/A", "/quotes/B"]);
    await rig.until("the link", () => rig.isServed("A", "B"));
  });
});

/** Two links, both of two keys: one stands still while K, of the other, has many events and is let go. */
async function openFull(): Promise<FeedRig> {
  const rig = await FeedRig.open({ pool: { keysPerLink: 2, linksMax: 2, lingerMs: 100 } });
  for (const key of ["A", "B"]) rig.feed.want(key);
  await rig.until("the first link", () => rig.isServed("A", "B"));
  for (const key of ["C", "K"]) rig.feed.want(key);
  await rig.until("the second link", () => rig.isServed("C", "K"));
  for (let n = 0; n < MANY; n++) rig.publish("K");
  await rig.caughtUp();
  rig.feed.unwant("K");
  rig.feed.unwant("A");
  await rig.until("both to be let go", () => rig.feed.stats().keysLingering === 0);
  rig.feed.want("D");
  await rig.until("D beside C", () => rig.isServed("C", "D"));
  return rig;
}
