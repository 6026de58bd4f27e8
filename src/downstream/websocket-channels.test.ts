import assert from "node:assert/strict";
import { test } from "node:test";
import { CloseReason } from "#protocol/close-reason.ts";
import {
  deskWith,
  fill,
  offsets,
  pushed,
  type Reply,
  TestClient,
  trader,
} from "../../test/helpers/session-client.ts";
import { REPLY_PUBLICATIONS_MAX } from "./websocket-channels.ts";

test("channels: a subscriber gets what is published from then on, with the log's numbers", async () => {
  const { desk, client } = await trader();
  fill(desk, "/quotes/A", 3);
  const { subscribe } = await client.ask({ subscribe: { channel: "/quotes/A" } });
  assert.deepEqual(subscribe, {
    recoverable: true,
    positioned: true,
    epoch: "life1",
    offset: 3,
    recovered: false,
    was_recovering: false,
  });
  fill(desk, "/quotes/B", 1);
  fill(desk, "/quotes/A", 1, '{"p":1}');
  const [push] = client.said();
  assert.deepEqual(push.push.channel, "/quotes/A");
  assert.deepEqual(push.push.pub.data, { p: 1 });
  assert.equal(push.push.pub.offset, 5);
});

for (const [what, channel, code] of [
  ["every topic", "*", 102],
  ["a wildcard", "/quotes/*", 102],
  ["a named group", "/quotes/:symbol", 102],
  ["a template", "/quotes/{symbol}", 102],
  ["a control character", "/quotes/\u0007", 107],
  ["an invisible character", "/quotes/\u200b", 107],
  ["more than 1024 characters", "/".repeat(1025), 107],
  ["a topic without a grant", "/secret", 103],
] as const) {
  test(`channels: a channel that is ${what} is error ${code}`, async () => {
    const { client, desk } = await trader();
    assert.equal((await client.ask({ subscribe: { channel } })).error.code, code);
    assert.equal(client.closed, null);
    assert.equal(desk.hub.stats().topics, 0);
  });
}

test("channels: parentheses and colons inside names are no patterns", async () => {
  const { client } = await trader();
  for (const channel of ["/quotes/BRK(B)", "/quotes/FX:EURUSD"]) {
    assert.ok((await client.ask({ subscribe: { channel } })).subscribe);
  }
});

test("channels: a channel can't be had twice, but again after it was left", async () => {
  const { client, desk } = await trader();
  await client.ask({ subscribe: { channel: "/quotes/A" } });
  assert.equal((await client.ask({ subscribe: { channel: "/quotes/A" } })).error.code, 105);
  assert.deepEqual((await client.ask({ unsubscribe: { channel: "/quotes/A" } })).unsubscribe, {});
  assert.equal(desk.hub.stats().subscribers, 0);
  assert.ok((await client.ask({ subscribe: { channel: "/quotes/A" } })).subscribe);
  fill(desk, "/quotes/A", 1);
  assert.equal(client.said().length, 1);
});

test("channels: to leave what one never had is no error", async () => {
  const { client } = await trader();
  assert.deepEqual((await client.ask({ unsubscribe: { channel: "/quotes/A" } })).unsubscribe, {});
});

test("channels: limits.subscribersPerConnection is error 106", async () => {
  const { client } = await trader({ limits: { subscribersPerConnection: 2 } });
  for (const name of ["A", "B"])
    assert.ok((await client.ask({ subscribe: { channel: `/quotes/${name}` } })).subscribe);
  assert.equal((await client.ask({ subscribe: { channel: "/quotes/C" } })).error.code, 106);
});

test("channels: nobody may have what everybody may, and no more", async () => {
  const { desk } = deskWith();
  const client = await new TestClient(desk).signIn();
  assert.ok((await client.ask({ subscribe: { channel: "/public/a" } })).subscribe);
  assert.ok((await client.ask({ subscribe: { channel: "/feed/a" } })).subscribe);
  assert.equal((await client.ask({ subscribe: { channel: "/quotes/A" } })).error.code, 103);
});

test("channels: private events of an open topic pass nobody by, live or replayed", async () => {
  const { desk } = deskWith();
  const client = await new TestClient(desk).signIn();
  desk.hub.publish({ topics: ["/public/a"], data: "1", private: true });
  desk.hub.publish({ topics: ["/public/a"], data: "2" });
  const { subscribe } = await client.ask({
    subscribe: { channel: "/public/a", recover: true, epoch: "life1", offset: 0 },
  });
  assert.deepEqual(offsets(subscribe.publications), [2]);
  desk.hub.publish({ topics: ["/public/a"], data: "3", private: true });
  desk.hub.publish({ topics: ["/public/a"], data: "4" });
  assert.deepEqual(pushed(client.said()), [4]);
});

test("channels: a topic's state comes first to who did not recover", async () => {
  const { desk, client } = await trader();
  desk.hub.publish({ topics: ["/quotes/A"], data: '{"bid":1,"ask":2}', state: "merge" });
  desk.hub.publish({ topics: ["/quotes/A"], data: '{"ask":3}', state: "merge" });
  fill(desk, "/quotes/B", 1);
  const { subscribe } = await client.ask({ subscribe: { channel: "/quotes/A" } });
  assert.equal(subscribe.recovered, false);
  assert.equal(subscribe.offset, 3);
  assert.deepEqual(
    subscribe.publications.map((publication: Reply) => publication.data),
    [{ bid: 1, ask: 3 }],
  );
});

test("channels: a resume gives exactly what was missed, then what comes", async () => {
  const { desk, client } = await trader();
  fill(desk, "/quotes/A", 2);
  fill(desk, "/quotes/B", 1);
  fill(desk, "/quotes/A", 2);
  const { subscribe } = await client.ask({
    subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 1 },
  });
  assert.equal(subscribe.recovered, true);
  assert.equal(subscribe.was_recovering, true);
  assert.equal(subscribe.offset, 1);
  assert.deepEqual(offsets(subscribe.publications), [2, 4, 5]);
  fill(desk, "/quotes/A", 1);
  assert.deepEqual(pushed(client.said()), [6]);
  assert.equal(desk.counters.resumes.of("websocket:recovered"), 1);
});

test("channels: a resume that missed nothing stands at the head", async () => {
  const { desk, client } = await trader();
  fill(desk, "/quotes/A", 2);
  fill(desk, "/quotes/B", 5);
  const { subscribe } = await client.ask({
    subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 2 },
  });
  assert.equal(subscribe.recovered, true);
  assert.equal(subscribe.offset, 7);
  assert.equal(subscribe.publications, undefined);
});

for (const [what, position] of [
  ["of another life of the log", { epoch: "life0", offset: 1 }],
  ["without an epoch", { offset: 1 }],
  ["beyond the head", { epoch: "life1", offset: 99 }],
] as const) {
  test(`channels: a position ${what} can't be resumed, and that is told`, async () => {
    const { desk, client } = await trader();
    desk.hub.publish({ topics: ["/quotes/A"], data: '{"p":1}', state: "last" });
    const { subscribe } = await client.ask({
      subscribe: { channel: "/quotes/A", recover: true, ...position },
    });
    assert.equal(subscribe.recovered, false);
    assert.equal(subscribe.was_recovering, true);
    assert.equal(subscribe.epoch, "life1");
    assert.equal(subscribe.offset, 1);
    assert.deepEqual(offsets(subscribe.publications), [1]);
    assert.equal(desk.counters.resumes.of("websocket:unrecovered"), 1);
  });
}

test("channels: what the log let go of can't be resumed", async () => {
  const { desk, client } = await trader({ logBytesMax: 20_000 });
  fill(desk, "/quotes/A", 100);
  const { subscribe } = await client.ask({
    subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 1 },
  });
  assert.equal(subscribe.recovered, false);
  assert.equal(subscribe.publications, undefined);
});

test("channels: who would rather have an error than a gap gets error 112 and no subscription", async () => {
  const { desk, client } = await trader();
  const command = {
    subscribe: { channel: "/quotes/A", recover: true, epoch: "life0", offset: 1, flag: 2 },
  };
  assert.equal((await client.ask(command)).error.code, 112);
  assert.equal(desk.hub.stats().subscribers, 0);
});

test("channels: a long resume goes on in pushes, with live events behind it, none missing and none twice", async () => {
  const { desk, client } = await trader();
  const missed = 2500;
  fill(desk, "/quotes/A", missed);
  const { subscribe } = await client.ask({
    subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 0 },
  });
  assert.equal(subscribe.publications.length, REPLY_PUBLICATIONS_MAX);
  assert.equal(subscribe.offset, 0);
  assert.equal(client.replaysAsked, 1);
  const got = offsets(subscribe.publications);
  for (let asked = 0; asked < client.replaysAsked; asked++) {
    fill(desk, "/quotes/A", 1);
    client.session.goOn();
    got.push(...pushed(client.said()));
  }
  fill(desk, "/quotes/A", 3);
  got.push(...pushed(client.said()));
  assert.deepEqual(
    got,
    Array.from({ length: desk.hub.head }, (_, index) => index + 1),
  );
});

test("channels: a reply's publications are bounded in bytes", async () => {
  const { desk, client } = await trader();
  fill(desk, "/quotes/A", 20, JSON.stringify("x".repeat(10_000)));
  const { subscribe } = await client.ask({
    subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 0 },
  });
  assert.equal(subscribe.publications.length, 7);
  client.session.goOn();
  assert.equal(client.said().length, 7);
  client.session.goOn();
  assert.equal(client.said().length, 6);
});

test("channels: several long resumes take turns", async () => {
  const { desk, client } = await trader();
  for (const name of ["A", "B"]) fill(desk, `/quotes/${name}`, 3000);
  for (const name of ["A", "B"]) {
    await client.ask({
      subscribe: { channel: `/quotes/${name}`, recover: true, epoch: "life1", offset: 0 },
    });
  }
  const turns = Array.from({ length: 4 }, () => {
    client.session.goOn();
    return [...new Set(client.said().map((push) => push.push.channel))];
  });
  assert.deepEqual(turns, [["/quotes/A"], ["/quotes/B"], ["/quotes/A"], ["/quotes/B"]]);
});

test("channels: a resume that the log overtakes ends in code 2500, not in a gap", async () => {
  const { desk, client } = await trader({ logBytesMax: 1_000_000 });
  fill(desk, "/quotes/A", 1000);
  await client.ask({ subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 0 } });
  fill(desk, "/quotes/A", 5000);
  client.session.goOn();
  assert.deepEqual(client.said(), [
    { push: { channel: "/quotes/A", unsubscribe: { code: 2500, reason: "insufficient state" } } },
  ]);
  fill(desk, "/quotes/A", 1);
  assert.deepEqual(client.said(), []);
  assert.equal(desk.hub.stats().subscribers, 0);
});

test("channels: to unsubscribe stops a replay", async () => {
  const { desk, client } = await trader();
  fill(desk, "/quotes/A", 1000);
  await client.ask({ subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 0 } });
  await client.ask({ unsubscribe: { channel: "/quotes/A" } });
  client.session.goOn();
  assert.deepEqual(client.said(), []);
});

test("channels: a gap that upstream made is told to the topic's subscribers", async () => {
  const { client, desk } = await trader();
  await client.ask({ subscribe: { channel: "/quotes/A" } });
  await client.ask({ subscribe: { channel: "/quotes/B" } });
  client.session.lose("/quotes/A");
  client.session.lose("/quotes/C");
  assert.deepEqual(
    client.said().map((push) => push.push.channel),
    ["/quotes/A"],
  );
  assert.equal(desk.hub.stats().subscribers, 1);
});

test("channels: the end leaves no subscriber", async () => {
  const { desk, client } = await trader();
  for (const name of ["A", "B", "C"]) client.send({ subscribe: { channel: `/quotes/${name}` } });
  fill(desk, "/quotes/A", 1000);
  client.close(CloseReason.client_closed);
  assert.equal(desk.hub.stats().subscribers, 0);
  assert.equal(client.session.channelCount, 0);
});
