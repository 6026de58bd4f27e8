import assert from "node:assert/strict";
import { test } from "node:test";
import { CloseReason } from "#protocol/close-reason.ts";
import { deskWith, fill, offsets, TestClient, trader } from "../../test/helpers/session-client.ts";
import { REPLY_PUBLICATIONS_MAX } from "./websocket-channels.ts";
import { PRESENCE_CLIENTS_MAX } from "./websocket-queries.ts";

test("commands: who may publish does, and JSON passes digit by digit", async () => {
  const { desk, client } = await trader();
  client.session.receive(
    '{"id":7,"publish":{"channel":"/news/a","data":{"n":1.50,"big":12345678901234567890}}}',
  );
  assert.deepEqual(client.said(), [{ id: 7, publish: {} }]);
  assert.equal(
    desk.hub.history("/news/a", { limit: 1, reverse: true })[0]?.data,
    '{"n":1.50,"big":12345678901234567890}',
  );
  assert.equal(desk.counters.published.of("websocket"), 1);
});

for (const [what, channel, code] of [
  ["a topic without a grant", "/quotes/A", 103],
  ["a pattern", "/news/*", 102],
  ["a control character", "/news/\u0000", 107],
] as const) {
  test(`commands: to publish to ${what} is error ${code}`, async () => {
    const { desk, client } = await trader();
    assert.equal((await client.ask({ publish: { channel, data: 1 } })).error.code, code);
    assert.equal(desk.hub.head, 0);
  });
}

test("commands: the hub's own topics can't be published, however they are written", async () => {
  const { desk } = deskWith();
  const client = await new TestClient(desk).signIn(desk.authenticator.user("root", { publish: ["*"] }));
  for (const channel of [
    "/.well-known/mercure/x",
    "/.well-known/mercure",
    "/%2Ewell-known/mercure/x",
    "/a/../.well-known/mercure/x",
    "mercure/x",
  ]) {
    assert.equal((await client.ask({ publish: { channel, data: 1 } })).error.code, 103, channel);
  }
});

test("commands: nobody can't publish", async () => {
  const { desk } = deskWith();
  const client = await new TestClient(desk).signIn();
  assert.equal((await client.ask({ publish: { channel: "/public/a", data: 1 } })).error.code, 103);
});

test("commands: a publisher who subscribes gets the event before the reply, as in the reference server", async () => {
  const { desk } = deskWith();
  const token = desk.authenticator.user("ann", { subscribe: ["/a"], publish: ["/a"] });
  const client = await new TestClient(desk).signIn(token);
  await client.ask({ subscribe: { channel: "/a" } });
  client.send({ publish: { channel: "/a", data: null } });
  const [push, reply] = client.said();
  assert.equal(push.push.pub.data, null);
  assert.deepEqual(reply.publish, {});
});

test("commands: history gives the position, then as much as is asked for, from either end", async () => {
  const { desk, client } = await trader();
  fill(desk, "/quotes/A", 5);
  const ask = async (fields: object) =>
    (await client.ask({ history: { channel: "/quotes/A", ...fields } })).history;
  assert.deepEqual(await ask({}), { epoch: "life1", offset: 5 });
  assert.deepEqual(offsets((await ask({ limit: 2 })).publications), [1, 2]);
  assert.deepEqual(offsets((await ask({ limit: 2, reverse: true })).publications), [5, 4]);
  assert.deepEqual(offsets((await ask({ limit: -1 })).publications), [1, 2, 3, 4, 5]);
  const since = { epoch: "life1", offset: 3 };
  assert.deepEqual(offsets((await ask({ limit: 10, since })).publications), [4, 5]);
  assert.deepEqual(offsets((await ask({ limit: 10, since, reverse: true })).publications), [2, 1]);
});

test("commands: history since a place that is no longer held is error 112", async () => {
  const { desk, client } = await trader({ logBytesMax: 20_000 });
  fill(desk, "/quotes/A", 100);
  const ask = async (since: object) =>
    (await client.ask({ history: { channel: "/quotes/A", limit: 5, since } })).error?.code;
  assert.equal(await ask({ epoch: "life1", offset: 1 }), 112);
  assert.equal(await ask({ epoch: "life0", offset: 99 }), 112);
  assert.equal(await ask({ epoch: "life1", offset: 99 }), undefined);
});

test("commands: history is bounded and needs permission", async () => {
  const { desk, client } = await trader();
  fill(desk, "/quotes/A", REPLY_PUBLICATIONS_MAX + 10);
  const { history } = await client.ask({ history: { channel: "/quotes/A", limit: 1_000_000 } });
  assert.equal(history.publications.length, REPLY_PUBLICATIONS_MAX);
  assert.equal((await client.ask({ history: { channel: "/secret", limit: 1 } })).error.code, 103);
  assert.equal((await client.ask({ history: { channel: "*", limit: 1 } })).error.code, 102);
});

test("commands: presence names a topic's subscribers and presence_stats counts them", async () => {
  const { desk, client, token } = await trader();
  await client.ask({ subscribe: { channel: "/quotes/A" } });
  const second = await new TestClient(desk, "c2").signIn(token);
  await second.ask({ subscribe: { channel: "/quotes/A" } });
  assert.deepEqual((await client.ask({ presence: { channel: "/quotes/A" } })).presence.presence, {
    c1: { client: "c1", user: "ann" },
    c2: { client: "c2", user: "ann" },
  });
  assert.deepEqual((await client.ask({ presence_stats: { channel: "/quotes/A" } })).presence_stats, {
    num_clients: 2,
    num_users: 1,
  });
  second.close(CloseReason.client_closed);
  const stats = (await client.ask({ presence_stats: { channel: "/quotes/A" } })).presence_stats;
  assert.equal(stats.num_clients, 1);
});

test("commands: presence is for whose role has the topic, open topics included", async () => {
  const { desk, client } = await trader();
  const nobody = await new TestClient(desk, "c2").signIn();
  for (const who of [client, nobody]) {
    assert.equal((await who.ask({ presence: { channel: "/public/a" } })).error.code, 103);
    assert.equal((await who.ask({ presence_stats: { channel: "/feed/a" } })).error.code, 103);
  }
});

test("commands: presence of more clients than fit an answer is error 106, its count is not", async () => {
  const { desk, client, token } = await trader();
  for (let index = 0; index <= PRESENCE_CLIENTS_MAX; index++) {
    const other = await new TestClient(desk, `o${index}`).signIn(token);
    other.send({ subscribe: { channel: "/quotes/A" } });
  }
  assert.equal((await client.ask({ presence: { channel: "/quotes/A" } })).error.code, 106);
  const { presence_stats } = await client.ask({ presence_stats: { channel: "/quotes/A" } });
  assert.equal(presence_stats.num_clients, PRESENCE_CLIENTS_MAX + 1);
});
