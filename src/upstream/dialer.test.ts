import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { DialRig } from "../../test/helpers/dial-rig.ts";
import { until } from "../../test/helpers/feed-server.ts";

/** A feed that counts its connections as a server does: from `connection` to `close`. */
async function countingFeed() {
  let now = 0;
  const seen = { connections: 0, most: 0, requests: 0 };
  const server = createServer((_request, response) => {
    seen.requests++;
    response.writeHead(200, { "content-type": "text/event-stream" }).write(":\n\n");
  });
  server.on("connection", (socket) => {
    seen.connections = ++now;
    seen.most = Math.max(seen.most, now);
    socket.once("close", () => {
      seen.connections = --now;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    seen,
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("dialer: a stream closed to make room is let go before the next is dialled, so the feed never counts too many", async () => {
  await using feed = await countingFeed();
  await using rig = new DialRig({ atOnceMax: 2 });
  const first = rig.dial(feed.url);
  const second = rig.dial(feed.url);
  await until("both are open", () => first.opened + second.opened === 2);
  for (let n = 0; n < 20; n++) {
    rig.dials.at(-1)?.dial.destroy();
    const next = rig.dial(feed.url);
    assert.equal(rig.dialer.sockets <= 2, true);
    await until("the end is seen", () => feed.seen.connections === 1);
    assert.equal(next.opened, 0, "it waits");
    rig.clock.advance(25);
    await until("the next is open", () => next.opened === 1);
  }
  assert.equal(feed.seen.most, 2);
});

test("dialer: a replacement that is opened first waits for nothing, and neither does one with room", async () => {
  await using feed = await countingFeed();
  await using rig = new DialRig({ atOnceMax: 2 });
  const first = rig.dial(feed.url);
  const second = rig.dial(feed.url);
  const third = rig.dial(feed.url);
  await until("all are open", () => first.opened + second.opened + third.opened === 3);
  first.dial.destroy();
  second.dial.destroy();
  third.dial.destroy();
  const held = rig.dial(feed.url);
  held.dial.destroy();
  rig.clock.advance(1000);
  assert.equal(feed.seen.requests, 3, "one that was destroyed while it waited is never dialled");
  const fourth = rig.dial(feed.url);
  await until("it is open", () => fourth.opened === 1);
});
