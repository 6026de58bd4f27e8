import assert from "node:assert/strict";
import { test } from "node:test";
import { MercureServer } from "../../test/helpers/mercure-server.ts";

const AUTHORIZED = { subscribe: ["/books/*", "/users/ann"] };
const query = (topics: readonly string[]) =>
  topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join("&");

test("Mercure 07: topic= takes a topic, a URI template and *, together with what is current", async () => {
  await using server = await MercureServer.open({ mercure07: true, anonymous: ["*"] });
  using exact = await server.client(query(["/books/1"]));
  using template = await server.client(query(["/books/{id}"]));
  using all = await server.client(query(["*"]));
  using mixed = await server.client(`${query(["/authors/{id}"])}&match=/books/2`);
  for (const topic of ["/books/1", "/books/2", "/authors/1", "/books/1/x"]) server.publish(topic, topic);
  assert.deepEqual(await exact.data(1), ["/books/1"]);
  assert.deepEqual(await template.data(2), ["/books/1", "/books/2"]);
  assert.deepEqual(await all.data(4), ["/books/1", "/books/2", "/authors/1", "/books/1/x"]);
  assert.deepEqual(await mixed.data(2), ["/books/2", "/authors/1"]);
});

test("Mercure 07: the cookie mercureAuthorization signs in; the current one and the Authorization field win", async () => {
  await using server = await MercureServer.open({ mercure07: true });
  server.token("ann", AUTHORIZED);
  const ask = async (headers: Record<string, string>) => {
    using client = await server.client(query(["/users/ann"]), { headers });
    return client.status;
  };
  assert.equal(await ask({ Cookie: "mercureAuthorization=ann" }), 200);
  assert.equal(await ask({ Cookie: "mercureAuthorization=bad" }), 401);
  assert.equal(await ask({ Cookie: "mercureAuthorization=ann; __Secure-mercure_access_token=bad" }), 401);
  assert.equal(await ask({ Cookie: "mercureAuthorization=bad", Authorization: "Bearer ann" }), 200);
  assert.equal(await ask({ Cookie: "mercureAuthorization=ann", Origin: "https://evil.test" }), 403);
});

test("Mercure 07: Last-Event-ID is told in the answer, and taken by its old names", async () => {
  await using server = await MercureServer.open({ mercure07: true, anonymous: ["*"] });
  server.publish("/a", "one", { id: "id-1" });
  server.publish("/a", "two", { id: "id-2" });
  for (const name of ["lastEventID", "Last-Event-ID", "last_event_id"]) {
    using client = await server.client(`topic=/a&${name}=id-1`);
    assert.deepEqual(await client.data(1), ["two"]);
    assert.equal(client.header("Last-Event-ID"), "id-1");
    assert.equal(client.header("Mercure-Last-Event-ID"), "id-1");
  }
});

test("Mercure 07: a token in the query is no token", async () => {
  await using server = await MercureServer.open({ mercure07: true });
  server.token("ann", AUTHORIZED);
  using client = await server.client("topic=/users/ann&authorization=ann");
  assert.equal(client.status, 401);
});

test("Mercure 07: a broken template and too many topics are refused", async () => {
  await using server = await MercureServer.open({
    mercure07: true,
    anonymous: ["*"],
    limits: { subscribersPerConnection: 2 },
  });
  for (const [asked, code] of [
    [query(["/a/{b"]), "bad_matcher"],
    [query([`${"{a}".repeat(17)}`]), "bad_matcher"],
    [query([""]), "bad_matcher"],
    [query(["/a", "/b", "/c"]), "too_many_matchers"],
  ] as const) {
    using client = await server.client(asked);
    assert.equal(client.status, 400);
    await client.until(() => client.body.includes("}"));
    assert.match(client.body, new RegExp(code));
  }
});

test("Mercure 07: without its switch nothing of it is taken", async () => {
  await using server = await MercureServer.open({ anonymous: ["*"] });
  server.token("ann", AUTHORIZED);
  server.publish("/a", "one", { id: "id-1" });
  using topic = await server.client("topic=/a");
  assert.equal(topic.status, 400);
  using cookie = await server.client("match=/a", { headers: { Cookie: "mercureAuthorization=bad" } });
  assert.equal(cookie.status, 200);
  using resumed = await server.client("match=/a&lastEventID=id-1", { lastEventId: "id-1" });
  assert.equal(resumed.header("Last-Event-ID"), null);
});
