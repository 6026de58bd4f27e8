import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { TRUST } from "../../test/helpers/dial-rig.ts";
import { FeedRig } from "../../test/helpers/feed-rig.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { Http2Feed } from "../../test/helpers/http2-feed.ts";
import { openFeed } from "./feed.ts";
import { mayBeForLength } from "./quarantine.ts";

for (const linksMax of [1, 4]) {
  test(`attack: keys whose URL the feed breaks off for its length starve no good key, on ${linksMax} links at most`, async () => {
    await using server = await Http2Feed.open();
    await using feed = openFeed(
      {
        name: "test",
        urls: [`${server.origin}/?s={keys}`],
        topic: "/quotes/{key}",
        headers: {},
        tls: TRUST,
        items: null,
        key: null,
        state: "none",
        access: "private",
        pool: { keysPerLink: 50, linksMax, lingerMs: 0, gatherMs: 5 },
        health: { connectTimeoutMs: 5000, idleTimeoutMs: 45_000, rotateAfterMs: 0, eventBytesMax: 4096 },
        retry: { minMs: 10, maxMs: 100, resetAfterMs: 1e6 },
      },
      {
        clock: new SystemClock(),
        random: seededRandom(3),
        log: silentLogger,
        sink: { publish() {}, gap() {} },
      },
    );
    feed.want("GOOD");
    await until("the good key", () => server.requests.length === 1);
    for (let n = 0; n < 30; n++) feed.want(`${n}${"é".repeat(490)}`);
    const asked = () => server.requests.map((headers) => String(headers[":path"]));
    await until("long ones, as many as are taken", () => asked().some((path) => path.includes("%C3%A9")));
    feed.want("LATE");
    await until("the late key", () => asked().some((path) => path.includes("LATE")));
    await until("links", () => feed.stats().links.some(({ state }) => state === "open"));
    assert.ok(Math.max(...asked().map(({ length }) => length)) > 8000);
  });
}

test("quarantine: only what is long and broken off may have been so for its length", () => {
  assert.equal(mayBeForLength("stream_refused", 90_000), true);
  assert.equal(mayBeForLength("stream_refused", 7000), false);
  assert.equal(mayBeForLength("refused", 90_000), false);
});

test("quarantine: one reset of a request whose URL is long convicts no key that is asked for with others", async () => {
  await using rig = await FeedRig.open({ retryMaxMs: 5000, pool: { linksMax: 1 } });
  const long = (name: string) => name + "x".repeat(250);
  const keys = Array.from({ length: 40 }, (_, n) => long(`K${n}_`));
  for (const key of keys) rig.feed.want(key);
  await rig.until("all", () => rig.isServed(...keys));
  await rig.pass(100);
  let resets = 0;
  rig.server.script = (request) => {
    if (resets > 0) return false;
    resets++;
    request.socket.resetAndDestroy();
    return true;
  };
  const fromMs = rig.clock.monotonicMs();
  rig.feed.want(long("NEW"));
  await rig.until("the new one", () => rig.isServed(long("NEW")));
  assert.equal(resets, 1);
  assert.equal(rig.feed.counters.keysRejected, 0);
  assert.ok(rig.clock.monotonicMs() - fromMs < 5000, "before retry.max");
});
