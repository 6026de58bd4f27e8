import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { until } from "../../test/helpers/feed-server.ts";
import { MercureServer } from "../../test/helpers/mercure-server.ts";

const COOKIE = "__Secure-mercure_access_token";

async function post(
  server: MercureServer,
  body: string | Record<string, string>,
  headers: Record<string, string> = {},
) {
  const response = await fetch(`${server.url}/.well-known/mercure`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    body: typeof body === "string" ? body : new URLSearchParams(body).toString(),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function openServer() {
  const server = await MercureServer.open();
  const token = server.token("ingest", { publish: ["/news/*"] });
  return { server, bearer: { authorization: `Bearer ${token}` } };
}

test("publish: answers 200, plain text, with the id that the hub gave", async () => {
  const { server, bearer } = await openServer();
  await using _ = server;
  const answer = await post(server, { topic: "/news/1", data: "hello", type: "flash" }, bearer);
  assert.deepEqual([answer.status, answer.text], [200, "#e.1"]);
  assert.equal(answer.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.match(answer.headers.get("link") ?? "", /rel="mercure"/);
  const [event] = server.hub.history("/news/1", { limit: 1, reverse: false });
  assert.deepEqual([event?.data, event?.type, event?.private], ["hello", "flash", false]);
  assert.equal(server.counters.published.of("mercure"), 1);
});

test("publish: the publisher's own id is honoured", async () => {
  const { server, bearer } = await openServer();
  await using _ = server;
  const answer = await post(server, { topic: "/news/1", id: "urn:uuid:1" }, bearer);
  assert.equal(answer.text, "urn:uuid:1");
  assert.equal(server.hub.sequenceOfId("urn:uuid:1"), 1);
});

test("policy: without a token 401 and no error, with a bad one 401, with one that lacks a topic 403", async () => {
  const { server, bearer } = await openServer();
  await using _ = server;
  const nobody = await post(server, { topic: "/news/1" });
  assert.equal(nobody.status, 401);
  assert.match(
    nobody.headers.get("www-authenticate") ?? "",
    /^Bearer realm="streamkeeper", resource_metadata="[^"]+"$/,
  );
  const bad = await post(server, { topic: "/news/1" }, { authorization: "Bearer nope" });
  assert.equal(bad.status, 401);
  assert.match(bad.headers.get("www-authenticate") ?? "", /error="invalid_token"/);
  const partly = await post(server, "topic=/news/1&topic=/quotes/A", bearer);
  assert.equal(partly.status, 403);
  assert.match(partly.headers.get("www-authenticate") ?? "", /error="insufficient_scope"/);
  assert.match(partly.text, /\/quotes\/A/);
  assert.equal(server.hub.head, 0, "nothing was published");
});

test("fault: a malformed update is 400, another kind of body 415, both say what to do", async () => {
  const { server, bearer } = await openServer();
  await using _ = server;
  const noTopic = await post(server, "data=1", bearer);
  assert.equal(noTopic.status, 400);
  assert.equal(JSON.parse(noTopic.text).code, "no_topic");
  const json = await post(server, "{}", { ...bearer, "content-type": "application/json" });
  assert.equal(json.status, 415);
  assert.equal(server.hub.head, 0);
});

test("attack: the hub's own namespace and event type can't be published, whatever the token permits", async () => {
  await using server = await MercureServer.open();
  const authorization = `Bearer ${server.token("root", { publish: ["*"] })}`;
  const forged = await post(server, { topic: "/.well-known/%6dercure/subscriptions/x" }, { authorization });
  assert.equal(JSON.parse(forged.text).code, "reserved_topic");
  const typed = await post(server, { topic: "/news/1", type: "mercure" }, { authorization });
  assert.equal(JSON.parse(typed.text).code, "bad_type");
  assert.equal(server.hub.head, 0);
});

test("attack: a body over limits.requestBytes is 413, and an endless one is cut off", async () => {
  const { server, bearer } = await openServer();
  await using _ = server;
  const large = await post(server, { topic: "/news/1", data: "x".repeat(65 * 1024) }, bearer);
  assert.equal(large.status, 413);
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.setEncoding("utf8");
  socket.write(
    `POST /.well-known/mercure HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer.authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  const chunk = `10000\r\n${"x".repeat(65536)}\r\n`;
  let sent = 0;
  let answer = "";
  socket.on("data", (text: string) => {
    answer += text;
  });
  while (!socket.destroyed && sent < 64 * 1024 * 1024) {
    sent += chunk.length;
    if (!socket.write(chunk))
      await Promise.race([once(socket, "drain"), once(socket, "close")]).catch(() => {});
  }
  assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes were taken`);
  assert.match(answer, /^(HTTP\/1\.1 413 |$)/);
  assert.equal(server.hub.head, 0);
});

test("attack: senders that stop half-way take their budget together, the next one is 503, and all of it is given back", async () => {
  const { server, bearer } = await openServer();
  await using _ = server;
  const { bodies } = server.registry;
  bodies.bytesMax = 100_000;
  const port = Number(new URL(server.url).port);
  const head = `POST /.well-known/mercure HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer.authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n`;
  const senders = [1, 2].map(() => connect(port, "127.0.0.1"));
  for (const sender of senders) sender.write(`${head}topic=/news/1&data=${"x".repeat(39_000)}`);
  await until("both bodies are held", () => bodies.bytes > 78_000);
  const refused = await post(server, { topic: "/news/1", data: "x".repeat(30_000) }, bearer);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assert.equal(JSON.parse(refused.text).code, "busy");
  for (const sender of senders) sender.destroy();
  await until("nothing is held", () => bodies.bytes === 0);
  assert.equal((await post(server, { topic: "/news/1", data: "x".repeat(30_000) }, bearer)).status, 200);
});

test("attack: a cookie publishes only from a known origin, and not when none is told", async () => {
  const { server, bearer } = await openServer();
  await using _ = server;
  const cookie = `${COOKIE}=${bearer.authorization.slice(7)}`;
  const status = async (headers: Record<string, string>) =>
    (await post(server, { topic: "/news/1" }, { cookie, ...headers })).status;
  assert.equal(await status({ origin: server.url }), 200);
  assert.equal(await status({ referer: `${server.url}/form` }), 200);
  assert.equal(await status({}), 403);
  assert.equal(await status({ origin: "https://evil.example" }), 403);
});

test("attack: a publisher that goes away in the middle of its body publishes nothing and leaves nothing", async () => {
  const { server, bearer } = await openServer();
  await using _ = server;
  const socket = connect(server.port, "127.0.0.1");
  socket.write(
    `POST /.well-known/mercure HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer.authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ntopic=/news/1`,
  );
  const [request] = await once(server.server, "request");
  const closed = new Promise<void>((resolve) => request.once("close", () => resolve()));
  socket.resetAndDestroy();
  await closed;
  assert.equal(server.hub.head, 0);
});
