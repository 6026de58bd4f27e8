import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { EventSource } from "eventsource";
import { AuthError } from "#auth/auth-error.ts";
import { MERCURE_COOKIE as COOKIE } from "#protocol/mercure.ts";
import { MercureServer } from "../../test/helpers/mercure-server.ts";

test("stream: headers, a comment, the reconnection time and the cursor come at once", async () => {
  await using server = await MercureServer.open();
  server.publish("/other", "1");
  using sse = await server.client("match=/public/a");
  assert.equal(sse.status, 200);
  assert.equal(sse.header("content-type"), "text/event-stream");
  assert.equal(sse.header("cache-control"), "no-cache, no-transform");
  assert.equal(sse.header("x-accel-buffering"), "no");
  assert.equal(sse.header("connection"), "close");
  assert.equal(sse.header("transfer-encoding"), null);
  assert.equal(sse.header("mercure-last-event-id"), null);
  assert.match(sse.header("link") ?? "", /rel="mercure"/);
  assert.match(sse.body, /^: ok\nretry: [12]\d{3}\nid: #e\.1\n\n$/);
});

test("stream: brings the events of its topics and patterns, each once, and no others", async () => {
  await using server = await MercureServer.open();
  using sse = await server.client("match=/public/a&match_urlpattern=/public/b/*&match=/public/b/1");
  server.publish("/public/a", "one", { type: "tick" });
  server.publish("/public/b/1", "two");
  server.publish("/public/c", "never");
  server.hub.publish({ topics: ["/public/b/1", "/public/a"], data: "three\nlines\rmore" });
  assert.deepEqual(await sse.data(3), ["one", "two", "three\nlines\nmore"]);
  assert.deepEqual(
    sse.events.map((event) => event.id),
    ["#e.1", "#e.2", "#e.4"],
  );
  assert.equal(sse.events[0]?.event, "tick");
});

test("stream: a real EventSource gets events, and resumes by itself after a cut", async () => {
  await using server = await MercureServer.open();
  const source = new EventSource(`${server.url}/.well-known/mercure?match=/public/a`);
  try {
    const messages: string[] = [];
    const came = async (count: number) => {
      while (messages.length < count) await once(source as unknown as EventTarget, "message");
    };
    source.addEventListener("message", (event) => messages.push(`${event.lastEventId} ${event.data}`));
    await once(source as unknown as EventTarget, "open");
    server.publish("/public/a", "one", { retryMs: 1 });
    await came(1);
    server.registry.closeWhere(() => true, "connection_reset");
    server.publish("/public/a", "two");
    await came(2);
    assert.deepEqual(messages, ["#e.1 one", "#e.2 two"]);
  } finally {
    source.close();
  }
});

test("sign-in: a token in the Authorization field, or in the cookie; the field wins", async () => {
  await using server = await MercureServer.open();
  const token = server.token("ann", { subscribe: ["/quotes/*"] });
  using byField = await server.client("match=/quotes/A", { token });
  using byCookie = await server.client("match=/quotes/A", {
    headers: { Cookie: `x=1; ${COOKIE}=${token}` },
  });
  using both = await server.client("match=/quotes/A", { token, headers: { Cookie: `${COOKIE}=wrong` } });
  using wrongField = await server.client("match=/quotes/A", {
    token: "wrong",
    headers: { Cookie: `${COOKIE}=${token}` },
  });
  assert.deepEqual(
    [byField, byCookie, both, wrongField].map((sse) => sse.status),
    [200, 200, 200, 401],
  );
  assert.deepEqual(
    [...server.registry].map((connection) => connection.identity.user),
    ["ann", "ann", "ann"],
  );
});

test("sign-in: a bad token is 401, never a silent downgrade to anonymous", async () => {
  await using server = await MercureServer.open();
  server.tokens.set("old", new AuthError("token_expired", "expired at noon"));
  for (const token of ["wrong", "old"]) {
    using sse = await server.client("match=/public/a", { token });
    assert.equal(sse.status, 401);
    assert.match(sse.header("www-authenticate") ?? "", /^Bearer .*error="invalid_token"/);
    assert.doesNotMatch(sse.head + sse.body, /noon|no such token/, "why it failed is not told");
  }
  using empty = await server.client("match=/public/a", { headers: { Cookie: `${COOKIE}=` } });
  assert.equal(empty.status, 401);
  assert.equal(server.registry.size, 0);
});

test("sign-in: another scheme than Bearer is 400 invalid_request", async () => {
  await using server = await MercureServer.open();
  using sse = await server.client("match=/public/a", { headers: { Authorization: "Basic YTpi" } });
  assert.equal(sse.status, 400);
  assert.match(sse.header("www-authenticate") ?? "", /error="invalid_request"/);
});

test("sign-in: keys of an issuer that can't be had do not end an EventSource for good", async () => {
  await using server = await MercureServer.open();
  server.tokens.set("foreign", new AuthError("issuer_unreachable", "no keys"));
  using sse = await server.client("match=/public/a", { token: "foreign" });
  assert.equal(sse.status, 200);
  assert.match(sse.body, /^retry: \d+$/m);
  await sse.ended();
});

test("policy: an exact topic without a grant is 401 without an error for nobody, 403 with the grants for somebody", async () => {
  await using server = await MercureServer.open();
  using nobody = await server.client("match=/quotes/A");
  assert.equal(nobody.status, 401);
  assert.match(
    nobody.header("www-authenticate") ?? "",
    /^Bearer realm="streamkeeper", resource_metadata="[^"]+"$/,
  );
  const token = server.token("ann", { subscribe: ["/news/*"] });
  using somebody = await server.client("match=/news/1&match=/quotes/A", { token });
  assert.equal(somebody.status, 403);
  assert.match(somebody.header("www-authenticate") ?? "", /error="insufficient_scope"/);
  assert.match(somebody.body, /\/quotes\/A.*\/news\/\*/);
});

test("policy: private events go only where a grant covers one of their topics", async () => {
  await using server = await MercureServer.open({ anonymous: ["/public/*"] });
  const token = server.token("ann", { subscribe: ["/public/*", "/users/ann/*"] });
  using nobody = await server.client("match=/public/a&match_urlpattern=/*");
  using ann = await server.client("match_urlpattern=/*", { token });
  server.publish("/public/a", "secret", { private: true });
  server.hub.publish({ topics: ["/books/1", "/users/ann/books/1"], data: "hers", private: true });
  server.publish("/users/bob/x", "his", { private: true });
  server.publish("/public/a", "for all");
  assert.deepEqual(await nobody.data(1), ["for all"]);
  assert.deepEqual(await ann.data(3), ["secret", "hers", "for all"]);
});

test("fault: a malformed request is 400 with what to do", async () => {
  await using server = await MercureServer.open();
  for (const query of ["", "match_regexp=/a", "match=/a%FF", "match=/public/a&heartbeat=x"]) {
    using sse = await server.client(query);
    assert.equal(sse.status, 400, query);
    assert.equal(sse.header("content-type"), "application/problem+json");
    assert.ok(JSON.parse(sse.body).detail.length > 10);
  }
});

test("attack: bytes that follow the request are dropped", async () => {
  await using server = await MercureServer.open();
  using sse = await server.client("match=/public/a");
  sse.socket.write("GET /.well-known/mercure?match=/public/b HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000));
  server.publish("/public/a", "still here");
  assert.deepEqual(await sse.data(1), ["still here"]);
  assert.equal(server.registry.size, 1);
});

test("attack: a stream's request with a body is refused", async () => {
  await using server = await MercureServer.open();
  const socket = connect(server.port, "127.0.0.1");
  socket.write(
    "GET /.well-known/mercure?match=/public/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
  );
  socket.setEncoding("utf8");
  const [text] = await once(socket, "data");
  assert.match(text, /^HTTP\/1\.1 400 /);
  socket.destroy();
  assert.equal(server.registry.size, 0);
});

test("attack: a last event id can't forge a field of the answer", async () => {
  await using server = await MercureServer.open();
  // Such an id can't be published; should one get into the log all the same, it still does not get out.
  server.publish("/public/a", "1", { id: "a\r\nSet-Cookie: x=1" });
  const query = `match=/public/a&last_event_id=${encodeURIComponent("a\r\nSet-Cookie: x=1")}`;
  using sse = await server.client(query);
  assert.equal(sse.header("set-cookie"), null);
  assert.equal(sse.header("mercure-last-event-id"), "earliest");
});

test("resume: an id beyond ASCII is told back as it is", async () => {
  await using server = await MercureServer.open();
  server.publish("/public/a", "1", { id: "été 1" });
  using sse = await server.client(`match=/public/a&last_event_id=${encodeURIComponent("été 1")}`);
  assert.equal(sse.header("mercure-last-event-id"), "été 1");
});

test("attack: a cookie is not taken from another origin's page", async () => {
  await using server = await MercureServer.open({ origins: ["https://app.example.com"] });
  const token = server.token("ann", { subscribe: ["/a"] });
  const status = async (headers: Record<string, string>) => {
    using sse = await server.client("match=/a", { headers: { Cookie: `${COOKIE}=${token}`, ...headers } });
    return sse.status;
  };
  assert.equal(await status({}), 200);
  assert.equal(await status({ Origin: "https://app.example.com" }), 200);
  assert.equal(await status({ Origin: `http://127.0.0.1:${server.port}` }), 200);
  assert.equal(await status({ Referer: `http://127.0.0.1:${server.port}/page` }), 200);
  assert.equal(await status({ "Sec-Fetch-Site": "same-origin" }), 200);
  for (const headers of [
    { Origin: "https://evil.example" },
    { Origin: "null" },
    { Origin: `http://127.0.0.1:${server.port}.evil.example` },
    { Referer: "https://evil.example/page" },
    { "Sec-Fetch-Site": "cross-site" },
  ]) {
    assert.equal(await status(headers), 403, JSON.stringify(headers));
  }
});

test("CORS: configured origins are named, with credentials; nobody else, and never '*'", async () => {
  await using server = await MercureServer.open({ origins: ["https://app.example.com"] });
  using allowed = await server.client("match=/public/a", { headers: { Origin: "https://app.example.com" } });
  assert.equal(allowed.header("access-control-allow-origin"), "https://app.example.com");
  assert.equal(allowed.header("access-control-allow-credentials"), "true");
  assert.equal(allowed.header("access-control-expose-headers"), "Mercure-Last-Event-ID, Link");
  assert.equal(allowed.header("vary"), "Origin");
  using refused = await server.client("match=/quotes/a", { headers: { Origin: "https://app.example.com" } });
  assert.equal(refused.header("access-control-allow-origin"), "https://app.example.com");
  using other = await server.client("match=/public/a", { headers: { Origin: "https://evil.example" } });
  assert.equal(other.header("access-control-allow-origin"), null);
  assert.equal(other.header("vary"), "Origin");
});

test("CORS: a preflight permits Last-Event-ID and Authorization to configured origins", async () => {
  await using server = await MercureServer.open({ origins: ["https://app.example.com"] });
  const preflight = (origin: string) =>
    fetch(`${server.url}/.well-known/mercure`, { method: "OPTIONS", headers: { origin } });
  const allowed = await preflight("https://app.example.com");
  assert.equal(allowed.status, 204);
  const headers = allowed.headers.get("access-control-allow-headers") ?? "";
  for (const name of ["Authorization", "Last-Event-ID"]) assert.ok(headers.includes(name), headers);
  const refused = await preflight("https://evil.example");
  assert.equal(refused.headers.get("access-control-allow-headers"), null);
});

test("methods: HEAD tells where the hub is, others are 405, other paths are left alone", async () => {
  await using server = await MercureServer.open();
  const head = await fetch(`${server.url}/.well-known/mercure`, { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.match(head.headers.get("link") ?? "", /rel="mercure"/);
  const put = await fetch(`${server.url}/.well-known/mercure`, { method: "PUT" });
  assert.equal(put.status, 405);
  assert.equal(put.headers.get("allow"), "GET, HEAD, QUERY, POST, OPTIONS");
  assert.equal((await fetch(`${server.url}/.well-known/mercurex`)).status, 404);
});
