import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { TRUST } from "../../test/helpers/dial-rig.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { Http2Feed } from "../../test/helpers/http2-feed.ts";
import { openFeed } from "./feed.ts";

const LINKS = 40;
const WINDOW_MS = 1000;

test("HTTP/2 feed: when the session dies its links come back spread over the backoff window, on one socket", async () => {
  await using server = await Http2Feed.open();
  const clock = new VirtualClock();
  const listenersBefore = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  {
    await using feed = openFeed(
      {
        name: "test",
        urls: [`${server.origin}/{key}`],
        topic: "/quotes/{key}",
        headers: {},
        tls: TRUST,
        items: null,
        key: null,
        state: "none",
        access: "private",
        pool: { keysPerLink: 1, linksMax: LINKS, lingerMs: 0, gatherMs: 0 },
        health: { connectTimeoutMs: 1e6, idleTimeoutMs: 1e6, rotateAfterMs: 0, eventBytesMax: 4096 },
        retry: { minMs: WINDOW_MS, maxMs: WINDOW_MS, resetAfterMs: 1e6 },
      },
      {
        clock,
        random: seededRandom(3),
        log: silentLogger,
        sink: { publish() {}, gap() {}, released() {} },
      },
    );
    const states = () => feed.stats().links.map((link) => link.state);
    for (let key = 0; key < LINKS; key++) feed.want(String(key));
    clock.advance(1);
    await until("all open", () => states().filter((state) => state === "open").length === LINKS);
    assert.deepEqual([feed.stats().sockets, server.accepted], [1, 1]);

    server.resetAll();
    await until("all lost", () => states().every((state) => state === "waiting"));
    const waits = feed.stats().links.map((link) => link.nextAttemptMs ?? assert.fail("none waited for"));
    const tenths = new Set(waits.map((ms) => Math.floor((10 * ms) / WINDOW_MS)));
    assert.ok(Math.max(...waits) <= WINDOW_MS);
    assert.ok(tenths.size >= 9, `spread over the whole window: ${waits.map(Math.round)}`);

    clock.advance(WINDOW_MS);
    await until("all back", () => states().filter((state) => state === "open").length === LINKS);
    assert.deepEqual([feed.stats().sockets, server.accepted], [1, 2]);
    assert.equal(feed.counters.reconnects.of("reset"), LINKS);
  }
  assert.equal(clock.timersPending, 0);
  await until("no socket at the server", () => server.sockets.size === 0);
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  assert.equal(listeners, listenersBefore);
});
