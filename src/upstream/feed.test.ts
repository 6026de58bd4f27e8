import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { FeedRig, GATHER_MS, LINGER_MS } from "../../test/helpers/feed-rig.ts";
import { FeedServer } from "../../test/helpers/feed-server.ts";
import { QUIET_MS } from "./pool.ts";
import { HANDOVER_MS } from "./takeovers.ts";

/** STREAMKEEPER_TEST_SEEDS asks for more: `100` runs the seeds 1 to 100. */
const SEEDS = Array.from({ length: Number(process.env.STREAMKEEPER_TEST_SEEDS ?? 3) }, (_, n) => n + 1);

describe("feed", () => {
  test("feed: without keys in its URL it holds one link from start to end, and leaves nothing", async () => {
    await using rig = await FeedRig.open({ path: "/all", topic: "/news", key: null });
    await rig.until("the link", () => rig.server.streams === 1);
    assert.equal(rig.feed.topicKey("/news"), "");
    assert.equal(rig.feed.topicKey("/other"), null);
    assert.equal(rig.feed.want(""), "ok");
    rig.server.write("data: not {json\n\n");
    await rig.until("the event", () => rig.events.length === 1);
    assert.deepEqual(rig.events[0], {
      topic: "/news",
      key: "",
      data: "not {json",
      type: "",
      state: "last",
      private: true,
    });
    rig.feed.unwant("");
    rig.clock.advance(2 * LINGER_MS);
    assert.equal(rig.feed.stats().links.length, 1);
    await rig.feed.close();
    assert.equal(rig.feed.stats().sockets, 0);
    assert.equal(rig.clock.timersPending, 0);
    assert.equal(rig.feed.want(""), "closed");
  });

  test("feed: keys are gathered into one request, and only theirs are published", async () => {
    await using rig = await FeedRig.open();
    for (const key of ["A", "B/1", "C,D"]) assert.equal(rig.feed.want(key), "ok");
    await rig.until("the link", () => rig.server.streams === 1);
    assert.equal(rig.server.requests.length, 1);
    assert.equal(rig.server.requests[0]?.url, "/quotes?symbols=A,B%2F1,C%2CD");
    rig.server.write('data: {"symbol":"A"}\n\ndata: {"symbol":"Z"}\n\ndata: {"symbol":"B/1"}\n\n');
    await rig.until("the events", () => rig.events.length === 2);
    assert.deepEqual(
      rig.events.map((event) => event.topic),
      ["/quotes/A", "/quotes/B%2F1"],
    );
    assert.equal(rig.feed.topicKey("/quotes/B%2F1"), "B/1");
    assert.equal(rig.feed.counters.unwanted, 1);
  });

  test("feed: a key lingers, comes back free, and its link is closed with the last one", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    rig.feed.unwant("A");
    rig.feed.unwant("A");
    rig.clock.advance(LINGER_MS - 1);
    assert.deepEqual([rig.feed.stats().keysWanted, rig.feed.stats().keysLingering], [0, 1]);
    rig.feed.want("A");
    rig.clock.advance(LINGER_MS);
    rig.publish("A");
    await rig.until("the event", () => rig.events.length === 1);
    assert.equal(rig.server.requests.length, 1);
    rig.feed.unwant("A");
    rig.clock.advance(LINGER_MS + GATHER_MS);
    await rig.until("no link", () => rig.server.streams === 0);
    assert.deepEqual(rig.feed.stats().links, []);
    assert.equal(rig.clock.timersPending, 0);
    await rig.hold("A");
    assert.equal(rig.server.requests.length, 2);
  });

  test("feed: a later key gets a link of its own, in quiet times the two become one, and nothing is lost or doubled", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    rig.publish("A", "A");
    await rig.hold("B");
    assert.equal(rig.server.streams, 2);
    let at = 0;
    await rig.until("the merger", () => {
      if (++at % 7 === 0) rig.publish("A", "B");
      return rig.feed.stats().links.length === 1;
    });
    rig.publish("A", "B");
    await rig.caughtUp();
    await rig.until("one stream", () => rig.server.streams === 1);
    assert.equal(rig.server.requests.at(-1)?.url, "/quotes?symbols=A,B");
    rig.assertExact();
  });

  test("feed: quiet keys are handed over too, by time", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    await rig.hold("B");
    rig.clock.advance(QUIET_MS);
    await rig.until("both, and the new one", () => rig.server.streams === 3);
    await rig.until("the new one alone", () => rig.server.streams === 1);
    rig.publish("A", "B");
    await rig.caughtUp();
    rig.assertExact();
  });

  test("feed: the bounds are hard, a key that finds no place is refused, one that lingers gives way", async () => {
    await using rig = await FeedRig.open({ pool: { keysPerLink: 2, linksMax: 2 } });
    for (const key of ["A", "B", "C"]) await rig.hold(key);
    await rig.hold("D");
    assert.equal(rig.feed.want("E"), "full");
    assert.equal(rig.feed.counters.keysRefused, 1);
    rig.feed.unwant("B");
    assert.equal(rig.feed.want("E"), "ok");
    await rig.until("all", () => rig.isServed("A", "C", "D", "E"));
    rig.publish("A", "C", "D", "E");
    await rig.caughtUp();
    assert.ok(rig.server.streamsPeak <= 2, `${rig.server.streamsPeak} streams`);
    rig.assertExact();
  });

  test("feed: with one link only, a new key reopens it where it stopped", async () => {
    await using rig = await FeedRig.open({ pool: { linksMax: 1 } });
    await rig.hold("A");
    rig.publish("A", "A");
    await rig.caughtUp();
    rig.feed.want("B");
    rig.publish("A");
    await rig.until("both", () => rig.isServed("A", "B"));
    rig.publish("A", "B");
    await rig.caughtUp();
    assert.equal(rig.server.streamsPeak, 1);
    assert.equal(rig.gaps.length, 0);
    rig.assertExact();
  });

  test("feed: one key a link, where the URL takes one", async () => {
    await using rig = await FeedRig.open({ path: "/quotes?symbols={key}", key: null, pool: { linksMax: 3 } });
    for (const key of ["A", "B", "C"]) rig.feed.want(key);
    assert.equal(rig.feed.want("D"), "full");
    await rig.until("three links", () => rig.server.streams === 3);
    rig.publish("A", "B", "C");
    await rig.caughtUp();
    rig.assertExact();
  });

  test("feed: killed and started again, it loses and doubles nothing that it can replay", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    await rig.hold("B");
    for (let round = 0; round < 5; round++) {
      rig.publish("A", "B", "A");
      await rig.caughtUp();
      await rig.server.kill();
      await rig.until("the loss", () => rig.feed.stats().links.every((link) => link.state !== "open"));
      rig.publish("B", "A");
      await rig.server.start();
      await rig.until("both", () => rig.isServed("A", "B"));
    }
    await rig.caughtUp();
    assert.equal(rig.gaps.length, 0);
    rig.assertExact();
  });

  test("feed: after an outage of a minute two hundred links come back apart, within one backoff window", async () => {
    const retryMaxMs = 30_000;
    await using rig = await FeedRig.open({
      path: "/quotes?symbols={key}",
      key: null,
      pool: { linksMax: 200 },
      retryMaxMs,
    });
    const keys = Array.from({ length: 200 }, (_, n) => `K${n}`);
    for (const key of keys) rig.feed.want(key);
    await rig.until("all", () => rig.server.streams === 200);
    await rig.server.kill();
    const dialsBefore = rig.feed.counters.dials;
    await rig.pass(60_000);
    const dials = rig.feed.counters.dials - dialsBefore;
    assert.ok(dials < 5 * 200, `${dials} attempts while the feed was down`);
    const arrivals: number[] = [];
    rig.server.script = () => {
      arrivals.push(rig.clock.monotonicMs());
      return false;
    };
    const backAtMs = rig.clock.monotonicMs();
    await rig.server.start();
    await rig.until("all", () => rig.server.streams === 200);
    const most = Math.max(
      ...arrivals.map((at) => arrivals.filter((each) => each >= at && each < at + 100).length),
    );
    assert.ok(most <= 20, `${most} within 100 ms`);
    const tookMs = (arrivals.at(-1) ?? 0) - backAtMs;
    assert.ok(tookMs <= retryMaxMs, `${tookMs} ms until the last was back`);
  });

  test("feed: a link that is reset is connected again within the first backoff window, median of a hundred", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    const tookMs: number[] = [];
    for (let n = 0; n < 100; n++) {
      await rig.pass(1100);
      const opened = rig.server.requests.length + 1;
      const fromMs = rig.clock.monotonicMs();
      rig.server.resetAll();
      await rig.until("the link", () => rig.server.requests.length === opened && rig.isServed("A"));
      tookMs.push(rig.clock.monotonicMs() - fromMs);
    }
    tookMs.sort((a, b) => a - b);
    // The rig's clock goes on by a millisecond for each turn of the event loop; a round trip takes some turns.
    assert.ok((tookMs[50] ?? 0) <= 20 + 10, `${tookMs[50]} ms`);
  });

  test("feed: without event ids a lost link is a gap on its topics, told before what comes next", async () => {
    await using rig = await FeedRig.open({ server: { ids: false } });
    rig.feed.want("A");
    await rig.hold("B");
    assert.equal(rig.gaps.length, 0);
    rig.publish("A");
    await rig.caughtUp();
    rig.server.resetAll();
    await rig.until("the gap", () => rig.gaps.length === 1 && rig.isServed("A", "B"));
    assert.deepEqual(rig.gaps[0]?.topics, ["/quotes/A", "/quotes/B"]);
    assert.equal(rig.gaps[0]?.info.reason, "reset");
    assert.equal(rig.feed.counters.gaps, 1);
  });

  test("feed: without event ids a merger doubles nothing and keeps the order", async () => {
    await using rig = await FeedRig.open({ server: { ids: false } });
    await rig.hold("A");
    await rig.hold("B");
    let at = 0;
    await rig.until("the merger", () => {
      if (++at % 7 === 0) rig.publish("A", "B");
      return rig.feed.stats().links.length === 1;
    });
    rig.assertNoneTwice();
    assert.equal(rig.gaps.length, 0);
  });

  test("feed: an old link is replaced by a new one before it is closed, and nothing is lost or doubled", async () => {
    await using rig = await FeedRig.open({ rotateAfterMs: 20_000 });
    await rig.hold("A");
    let at = 0;
    await rig.until("three rotations", () => {
      if (++at % 50 === 0) rig.publish("A");
      return rig.server.requests.length >= 4;
    });
    await rig.until("one stream", () => rig.server.streams === 1 && rig.feed.stats().links.length === 1);
    await rig.caughtUp();
    assert.equal(rig.server.streamsPeak, 2);
    assert.equal(rig.feed.counters.drops.of("replaced"), 3);
    rig.assertExact();
  });

  test("feed: old links are rotated one after the other, also when every place is taken", async () => {
    await using rig = await FeedRig.open({
      path: "/quotes?symbols={key}",
      key: null,
      pool: { linksMax: 4 },
      rotateAfterMs: 5000,
    });
    const keys = ["A", "B", "C", "D"];
    for (const key of keys) rig.feed.want(key);
    await rig.until("all", () => rig.isServed(...keys));
    let at = 0;
    await rig.until("four rotations of each", () => {
      if (++at % 50 === 0) rig.publish(...keys);
      return rig.feed.counters.drops.of("replaced") >= 16;
    });
    await rig.caughtUp();
    assert.equal(rig.server.streamsPeak, 5, "one more, and never two");
    rig.assertExact();
  });

  test("feed: URLs are asked in turn, and the first one again after a while, before the other is left", async () => {
    await using fallback = await FeedServer.open();
    await using rig = await FeedRig.open({ fallback, retryMaxMs: 2000 });
    await rig.hold("A");
    assert.equal(fallback.requests.length, 0);
    await rig.server.kill();
    await rig.until("the other", () => fallback.streams === 1);
    await rig.pass(20_000);
    assert.equal(fallback.streams, 1, "it is kept while the first one is down");
    const dials = rig.feed.counters.dials;
    await rig.pass(20_000);
    assert.ok(rig.feed.counters.dials - dials <= 11, "the first one is tried at the slowest pace");
    await rig.server.start();
    await rig.until("the first one", () => rig.server.streams === 1);
    assert.equal(fallback.streams, 1, "the other is closed after");
    await rig.until("the first one alone", () => fallback.streams === 0);
    rig.publish("A");
    await rig.caughtUp();
    assert.equal(rig.feed.counters.drops.of("replaced"), 1);
  });

  test("feed: a pool that had every link in use merges them when keys leave", async () => {
    await using rig = await FeedRig.open({ pool: { keysPerLink: 2, linksMax: 2, lingerMs: 100 } });
    for (const key of ["A", "B", "C", "D"]) rig.feed.want(key);
    await rig.until("all", () => rig.isServed("A", "B", "C", "D"));
    assert.equal(rig.server.streams, 2);
    rig.feed.unwant("B");
    rig.feed.unwant("D");
    let at = 0;
    await rig.until("one link", () => {
      if (++at % 20 === 0) rig.publish("A", "C");
      return rig.feed.stats().links.length === 1;
    });
    await rig.caughtUp();
    assert.ok(rig.server.streamsPeak <= 2);
    assert.equal(rig.gaps.length, 0);
    rig.assertExact();
  });

  test("feed: a key that the feed does not know leaves the others in peace", async () => {
    await using rig = await FeedRig.open();
    rig.server.script = (request, response) => {
      if (request.url?.includes("BAD") !== true) return false;
      response.writeHead(404).end();
      return true;
    };
    await rig.hold("A");
    rig.feed.want("BAD");
    await rig.until("the refusal", () => rig.feed.stats().keysQuarantined === 1);
    assert.equal(rig.feed.stats().links.length, 1, "it takes no link's place");
    await rig.pass(5 * QUIET_MS);
    rig.publish("A");
    await rig.caughtUp();
    assert.equal(rig.feed.counters.drops.total, 0);
    rig.assertExact();
  });

  test("feed: a merger that the feed refuses is given up, the links stay, and it is not tried at once again", async () => {
    await using rig = await FeedRig.open({ retryMaxMs: 30_000 });
    rig.server.script = (request, response) => {
      if (request.url?.includes(",") !== true) return false;
      response.writeHead(414).end();
      return true;
    };
    await rig.hold("A");
    await rig.hold("B");
    await rig.pass(QUIET_MS + HANDOVER_MS);
    rig.publish("A", "B");
    await rig.caughtUp();
    assert.equal(rig.server.requests.length, 3);
    assert.equal(rig.server.streams, 2);
    rig.assertExact();
  });

  test("feed: what can't be mapped is counted, the link stays", async () => {
    await using rig = await FeedRig.open();
    await rig.hold("A");
    rig.server.write('data: {\n\ndata: {"sym":1}\n\ndata: {"symbol":""}\n\n');
    rig.publish("A");
    await rig.caughtUp();
    assert.deepEqual(Object.fromEntries(rig.feed.counters.faults.entries()), {
      not_json: 1,
      no_key: 1,
      bad_topic: 1,
    });
    assert.equal(rig.feed.counters.drops.total, 0);
  });

  for (const seed of SEEDS) {
    test(`feed: while links break and keys come and go, each event comes once, in order (seed ${seed})`, async () => {
      const random = seededRandom(seed);
      await using rig = await FeedRig.open({
        pool: { keysPerLink: 4, linksMax: 4, lingerMs: 500 },
        rotateAfterMs: 1000,
      });
      const keys = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
      // Some keys are wanted throughout, others come and go; only the former must have every event.
      const lasting = keys.slice(0, 5);
      for (const key of lasting) rig.feed.want(key);
      await rig.until("the lasting ones", () => rig.isServed(...lasting));
      for (let step = 0; step < 4000; step++) {
        if (random() < 0.3) rig.publish(keys[Math.floor(random() * keys.length)] as string);
        if (random() < 0.015) rig.server.resetOne(random());
        if (random() < 0.002) rig.server.endAll();
        // Times of much coming and going, and quiet ones, in which links are merged.
        const passing = keys[5 + Math.floor(random() * 5)] as string;
        const isBusy = step % 1000 < 400;
        if (isBusy && random() < 0.03) rig.feed.want(passing);
        if (isBusy && random() < 0.03) rig.feed.unwant(passing);
        await rig.pass(5);
      }
      await rig.until("the lasting ones", () => rig.isServed(...lasting));
      await rig.until("their last events", () =>
        lasting.every((key) => rig.lastOf(key) === rig.lastPublished(key)),
      );
      assert.equal(rig.gaps.length, 0);
      assert.ok(rig.server.streamsPeak <= 5, `${rig.server.streamsPeak} streams`);
      assert.ok(rig.feed.counters.drops.total > 20, "links did break");
      assert.ok(rig.feed.counters.drops.of("replaced") > 2, "links were replaced");
      rig.assertExact(lasting);
      rig.assertNoneTwice();
    });
  }
});
