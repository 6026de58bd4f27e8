import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { FeedRig, type FeedRigOptions } from "../../test/helpers/feed-rig.ts";
import { QUIET_MS } from "./pool.ts";

/** A feed that answers every request with a bad key in it by 404, or as told. */
async function openRig(
  isBad: (key: string) => boolean,
  options: FeedRigOptions = {},
  status = 404,
): Promise<FeedRig> {
  const rig = await FeedRig.open(options);
  rig.server.script = (request, response) => {
    const symbols = new URL(request.url ?? "", rig.server.origin).searchParams.get("symbols") ?? "";
    if (!symbols.split(",").some(isBad)) return false;
    response.writeHead(status).end();
    return true;
  };
  return rig;
}

const startsBad = (key: string) => key.startsWith("BAD");

describe("bad keys", () => {
  test("bad keys: one that is asked for together with good ones can't starve them", async () => {
    await using rig = await openRig(startsBad, { retryMaxMs: 30_000 });
    for (const key of ["A", "BAD", "B", "C"]) rig.feed.want(key);
    await rig.until("the good ones", () => rig.isServed("A", "B", "C"));
    assert.ok(rig.clock.monotonicMs() < 1000, `${rig.clock.monotonicMs()} ms`);
    rig.publish("A", "B", "C");
    await rig.caughtUp();
    rig.assertExact();
    await rig.until("the conviction", () => rig.feed.stats().keysQuarantined === 1);
  });

  test("bad keys: one that the feed answers by 204 does not end the link of others for good", async () => {
    await using rig = await openRig(startsBad, {}, 204);
    await rig.hold("A");
    for (const key of ["BAD", "B", "C"]) rig.feed.want(key);
    await rig.until("the good ones", () => rig.isServed("A", "B", "C"));
    await rig.until("the conviction", () => rig.feed.stats().keysQuarantined === 1);
    rig.publish("A", "B", "C");
    await rig.caughtUp();
    rig.assertExact();
  });

  test("bad keys: with one link only, a bad key takes it from nobody, and a good one comes in beside it", async () => {
    await using rig = await openRig(startsBad, { pool: { linksMax: 1 } });
    await rig.hold("A");
    rig.publish("A");
    rig.feed.want("BAD");
    await rig.until("the conviction", () => rig.feed.stats().keysQuarantined === 1);
    rig.publish("A");
    rig.feed.want("B");
    await rig.until("both", () => rig.isServed("A", "B"));
    rig.publish("A", "B");
    await rig.pass(10 * QUIET_MS);
    await rig.caughtUp();
    assert.equal(rig.gaps.length, 0);
    assert.equal(rig.server.streamsPeak, 1, "never one more");
    rig.assertExact();
  });

  test("bad keys: with one key a link, bad ones leave the links to the good ones", async () => {
    await using rig = await openRig(startsBad, {
      path: "/quotes?symbols={key}",
      key: null,
      pool: { linksMax: 2 },
    });
    rig.feed.want("BAD1");
    rig.feed.want("BAD2");
    await rig.pass(200);
    assert.equal(rig.feed.want("A"), "ok");
    assert.equal(rig.feed.want("B"), "ok");
    await rig.until("the good ones", () => rig.isServed("A", "B"));
  });

  test("bad keys: one that the feed comes to know flows, asked for alone", async () => {
    let isBad = true;
    await using rig = await openRig((key) => isBad && key === "BAD", { retryMaxMs: 5000 });
    rig.feed.want("A");
    rig.feed.want("BAD");
    await rig.until("the conviction", () => rig.isServed("A") && rig.feed.stats().keysQuarantined === 1);
    const before = rig.server.requests.length;
    await rig.pass(5 * 5000);
    const again = rig.server.requests.slice(before).filter(({ url }) => url.includes("BAD"));
    assert.ok(again.length >= 3 && again.length <= 5, `${again.length} requests`);
    assert.ok(again.every(({ url }) => url === "/quotes?symbols=BAD"));
    isBad = false;
    await rig.until("both", () => rig.isServed("A", "BAD"));
    rig.publish("A", "BAD");
    await rig.caughtUp();
  });

  test("bad keys: one that the feed knows no more is parted from the others, which lose nothing", async () => {
    let isBad = false;
    await using rig = await openRig((key) => isBad && key === "BAD");
    for (const key of ["A", "B", "BAD"]) rig.feed.want(key);
    await rig.until("all", () => rig.isServed("A", "B", "BAD"));
    rig.publish("A", "B");
    await rig.caughtUp();
    isBad = true;
    rig.server.resetAll();
    rig.publish("A", "B");
    await rig.until("the good ones", () => rig.isServed("A", "B"));
    rig.publish("A", "B");
    await rig.caughtUp();
    rig.assertExact();
    assert.equal(rig.gaps.length, 0);
  });

  test("bad keys: a feed that rejects everything for a while loses no key and no event that it can replay", async () => {
    let isDown = false;
    await using rig = await openRig(() => isDown, { retryMaxMs: 2000 });
    for (const key of ["A", "B", "C"]) rig.feed.want(key);
    await rig.until("all", () => rig.isServed("A", "B", "C"));
    rig.publish("A", "B", "C");
    await rig.caughtUp();
    isDown = true;
    rig.server.resetAll();
    rig.publish("A", "B", "C");
    await rig.pass(20_000);
    isDown = false;
    await rig.until("all again", () => rig.isServed("A", "B", "C"));
    rig.publish("A", "B", "C");
    await rig.caughtUp();
    rig.assertExact();
    assert.equal(rig.feed.stats().keysQuarantined, 0);
  });

  test("bad keys: a feed that rejects everything while it comes up again loses no key", async () => {
    let rejects = false;
    await using rig = await openRig(() => rejects, {
      pool: { keysPerLink: 2, linksMax: 4 },
      connectTimeoutMs: 200,
    });
    const keys = ["A", "B", "C", "D", "E", "F"];
    for (const key of keys) rig.feed.want(key);
    await rig.until("all", () => rig.isServed(...keys));
    await rig.server.kill();
    await rig.pass(2000);
    rejects = true;
    await rig.server.start();
    await rig.pass(4000);
    assert.equal(rig.feed.stats().keysQuarantined, keys.length, "not one is accepted");
    rejects = false;
    const backMs = rig.clock.monotonicMs();
    await rig.until("all again", () => rig.isServed(...keys));
    const waitMs = rig.clock.monotonicMs() - backMs;
    assert.ok(waitMs < 5000, `${waitMs} ms`);
    rig.publish(...keys);
    await rig.caughtUp();
  });

  test("bad keys: one that is left alone on a feed that is down is asked for again", async () => {
    let isBad = true;
    await using rig = await openRig((key) => isBad && startsBad(key), {
      pool: { keysPerLink: 2, linksMax: 4, lingerMs: 100 },
    });
    const good = ["A", "B", "C", "D", "E", "F"];
    for (const key of [...good, "BAD"]) rig.feed.want(key);
    await rig.until("the conviction", () => rig.isServed(...good) && rig.feed.stats().keysQuarantined === 1);
    await rig.server.kill();
    await rig.pass(1000);
    for (const key of good) rig.feed.unwant(key);
    await rig.pass(500);
    isBad = false;
    await rig.server.start();
    await rig.until("it", () => rig.isServed("BAD"));
  });

  test("bad keys: one is asked for again too where the feed, back again, wants no reconnection of all others", async () => {
    let isBad = true;
    let ends = false;
    await using rig = await openRig((key) => isBad && startsBad(key), {
      pool: { keysPerLink: 2, linksMax: 4 },
    });
    const script = rig.server.script;
    rig.server.script = (request, response, index) => {
      if (!ends || request.url?.includes("BAD")) return script?.(request, response, index) ?? false;
      response.writeHead(204).end();
      return true;
    };
    const good = ["A", "B", "C", "D", "E", "F"];
    for (const key of [...good, "BAD"]) rig.feed.want(key);
    await rig.until("the conviction", () => rig.isServed(...good) && rig.feed.stats().keysQuarantined === 1);
    await rig.server.kill();
    await rig.pass(1000);
    isBad = false;
    ends = true;
    await rig.server.start();
    await rig.until("it", () => rig.isServed("BAD"));
    assert.ok(rig.feed.stats().links.filter(({ state }) => state === "ended").length >= 3);
  });

  test("attack: a stream of ever new bad keys starves no good key, old or new", async () => {
    await using rig = await openRig(startsBad, {
      pool: { keysPerLink: 10, linksMax: 2, lingerMs: 200 },
      retryMaxMs: 1000,
    });
    const random = seededRandom(3);
    await rig.hold("OLD");
    const bad: string[] = [];
    const good: string[] = ["OLD"];
    for (let step = 0; step < 600; step++) {
      const key = `BAD${step}`;
      if (rig.feed.want(key) === "ok") bad.push(key);
      if (bad.length > 5) rig.feed.unwant(bad.shift() as string);
      if (step % 100 === 50) {
        good.push(`NEW${step}`);
        assert.equal(rig.feed.want(`NEW${step}`), "ok");
      }
      if (random() < 0.1) rig.publish("OLD");
      await rig.pass(10);
    }
    await rig.until("the good ones", () => rig.isServedAmongOthers(...good));
    rig.publish(...good);
    await rig.until("their last events", () =>
      good.every((key) => rig.lastOf(key) === rig.lastPublished(key)),
    );
    rig.assertExact(["OLD"]);
    assert.equal(rig.gaps.length, 0);
    assert.ok(rig.server.streamsPeak <= 2, `${rig.server.streamsPeak} streams`);
    const perSecond = rig.server.requests.length / (rig.clock.monotonicMs() / 1000);
    assert.ok(perSecond < 120, `${perSecond} requests a second`);
  });
});
