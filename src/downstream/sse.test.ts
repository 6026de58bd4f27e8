import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { EventSource } from "eventsource";
import { AuthError } from "#auth/auth-error.ts";
import { MercureServer } from "../../test/helpers/mercure-server.ts";
import { SseClient, type SseClientOptions } from "../../test/helpers/sse-client.ts";

const COOKIE = "__Secure-mercure_access_token";

function client(server: MercureServer, query: string, options?: SseClientOptions): Promise<SseClient> {
  return new SseClient(server.url, query, options).opened();
}

/** The rest of the turn, and the next: what was published is written by then. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

function publish(server: MercureServer, topic: string, data: string, more: object = {}): number {
  return server.hub.publish({ topics: [topic], data, ...more }).sequence;
}

test("stream: headers, a comment, the reconnection time and the cursor come at once", async () => {
  await using server = await MercureServer.open();
  publish(server, "/other", "1");
  using sse = await client(server, "match=/public/a");
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
  using sse = await client(server, "match=/public/a&match_urlpattern=/public/b/*&match=/public/b/1");
  publish(server, "/public/a", "one", { type: "tick" });
  publish(server, "/public/b/1", "two");
  publish(server, "/public/c", "never");
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
    publish(server, "/public/a", "one", { retryMs: 1 });
    await came(1);
    server.registry.closeWhere(() => true, "connection_reset");
    publish(server, "/public/a", "two");
    await came(2);
    assert.deepEqual(messages, ["#e.1 one", "#e.2 two"]);
  } finally {
    source.close();
  }
});

test("sign-in: a token in the Authorization field, or in the cookie; the field wins", async () => {
  await using server = await MercureServer.open();
  const token = server.token("ann", { subscribe: ["/quotes/*"] });
  using byField = await client(server, "match=/quotes/A", { token });
  using byCookie = await client(server, "match=/quotes/A", {
    headers: { Cookie: `x=1; ${COOKIE}=${token}` },
  });
  using both = await client(server, "match=/quotes/A", { token, headers: { Cookie: `${COOKIE}=wrong` } });
  using wrongField = await client(server, "match=/quotes/A", {
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
    using sse = await client(server, "match=/public/a", { token });
    assert.equal(sse.status, 401);
    assert.match(sse.header("www-authenticate") ?? "", /^Bearer .*error="invalid_token"/);
    assert.doesNotMatch(sse.head + sse.body, /noon|no such token/, "why it failed is not told");
  }
  using empty = await client(server, "match=/public/a", { headers: { Cookie: `${COOKIE}=` } });
  assert.equal(empty.status, 401);
  assert.equal(server.registry.size, 0);
});

test("sign-in: another scheme than Bearer is 400 invalid_request", async () => {
  await using server = await MercureServer.open();
  using sse = await client(server, "match=/public/a", { headers: { Authorization: "Basic YTpi" } });
  assert.equal(sse.status, 400);
  assert.match(sse.header("www-authenticate") ?? "", /error="invalid_request"/);
});

test("sign-in: keys of an issuer that can't be had do not end an EventSource for good", async () => {
  await using server = await MercureServer.open();
  server.tokens.set("foreign", new AuthError("issuer_unreachable", "no keys"));
  using sse = await client(server, "match=/public/a", { token: "foreign" });
  assert.equal(sse.status, 200);
  assert.match(sse.body, /^retry: \d+$/m);
  await sse.ended();
});

test("policy: an exact topic without a grant is 401 without an error for nobody, 403 with the grants for somebody", async () => {
  await using server = await MercureServer.open();
  using nobody = await client(server, "match=/quotes/A");
  assert.equal(nobody.status, 401);
  assert.equal(nobody.header("www-authenticate"), 'Bearer realm="streamkeeper"');
  const token = server.token("ann", { subscribe: ["/news/*"] });
  using somebody = await client(server, "match=/news/1&match=/quotes/A", { token });
  assert.equal(somebody.status, 403);
  assert.match(somebody.header("www-authenticate") ?? "", /error="insufficient_scope"/);
  assert.match(somebody.body, /\/quotes\/A.*\/news\/\*/);
});

test("policy: private events go only where a grant covers one of their topics", async () => {
  await using server = await MercureServer.open({ anonymous: ["/public/*"] });
  const token = server.token("ann", { subscribe: ["/public/*", "/users/ann/*"] });
  using nobody = await client(server, "match=/public/a&match_urlpattern=/*");
  using ann = await client(server, "match_urlpattern=/*", { token });
  publish(server, "/public/a", "secret", { private: true });
  server.hub.publish({ topics: ["/books/1", "/users/ann/books/1"], data: "hers", private: true });
  publish(server, "/users/bob/x", "his", { private: true });
  publish(server, "/public/a", "for all");
  assert.deepEqual(await nobody.data(1), ["for all"]);
  assert.deepEqual(await ann.data(3), ["secret", "hers", "for all"]);
});

test("fault: a malformed request is 400 with what to do", async () => {
  await using server = await MercureServer.open();
  for (const query of ["", "match_regexp=/a", "match=/a%FF", "match=/public/a&heartbeat=x"]) {
    using sse = await client(server, query);
    assert.equal(sse.status, 400, query);
    assert.equal(sse.header("content-type"), "application/problem+json");
    assert.ok(JSON.parse(sse.body).detail.length > 10);
  }
});

test("resume: exactly what was missed, by cursor, by field and parameter, the field winning", async () => {
  await using server = await MercureServer.open();
  for (const data of ["1", "2", "3"]) publish(server, "/public/a", data);
  publish(server, "/public/b", "x");
  using byField = await client(server, "match=/public/a", { lastEventId: "#e.1" });
  using byParameter = await client(server, "match=/public/a&last_event_id=%23e.2");
  using both = await client(server, "match=/public/a&last_event_id=%23e.1", { lastEventId: "#e.2" });
  assert.deepEqual(await byField.data(2), ["2", "3"]);
  assert.deepEqual(await byParameter.data(1), ["3"]);
  assert.deepEqual(await both.data(1), ["3"]);
  assert.equal(byField.header("mercure-last-event-id"), "#e.1");
  assert.equal(both.header("mercure-last-event-id"), "#e.2");
  publish(server, "/public/a", "4");
  assert.deepEqual(await byField.data(3), ["2", "3", "4"]);
  assert.equal(server.counters.resumes.of("sse:recovered"), 3);
});

test("resume: by the publisher's own id; of equal ids the earliest counts", async () => {
  await using server = await MercureServer.open();
  for (const [id, data] of [
    ["a", "1"],
    ["b", "2"],
    ["a", "3"],
    ["c", "4"],
  ] as const) {
    publish(server, "/public/a", data, { id });
  }
  using sse = await client(server, "match=/public/a", { lastEventId: "a" });
  assert.deepEqual(await sse.data(3), ["2", "3", "4"]);
  assert.equal(sse.header("mercure-last-event-id"), "a");
});

test("resume: 'earliest' brings all that is held", async () => {
  await using server = await MercureServer.open();
  for (const data of ["1", "2"]) publish(server, "/public/a", data, { state: "last" });
  using sse = await client(server, "match=/public/a&last_event_id=earliest");
  assert.deepEqual(await sse.data(2), ["1", "2"]);
  assert.equal(sse.header("mercure-last-event-id"), "earliest");
  assert.equal(server.counters.resumes.total, 0);
});

test("resume: what can't be exact is told: by the field, and by a gap event since scripts see no fields", async () => {
  await using server = await MercureServer.open();
  publish(server, "/public/a", "held");
  for (const lastEventId of ["#before.7", "#e.99", "unknown", "x".repeat(3000)]) {
    using sse = await client(server, "match=/public/a", { lastEventId });
    await sse.data(2);
    assert.equal(sse.header("mercure-last-event-id"), "earliest");
    const [gap, event] = sse.events;
    assert.equal(gap?.event, "gap");
    assert.deepEqual(JSON.parse(gap?.data ?? ""), {
      topics: ["/public/a"],
      after: lastEventId.slice(0, 1025),
      resumed: "#e.0",
    });
    assert.equal(event?.data, "held");
  }
  assert.equal(server.counters.resumes.of("sse:unrecovered"), 4);
});

test("resume: from before what the log holds is told as a gap, and what is held follows", async () => {
  await using server = await MercureServer.open({ logBytesMax: 4000 });
  for (let index = 1; index <= 50; index++) publish(server, "/public/a", `${index}`);
  assert.ok(server.hub.evictedThrough > 5);
  using sse = await client(server, "match=/public/a", { lastEventId: "#e.3" });
  const held = 50 - server.hub.evictedThrough;
  const [gap, ...data] = await sse.data(1 + held);
  assert.match(gap ?? "", /"after":"#e\.3"/);
  assert.deepEqual(
    data,
    Array.from({ length: held }, (_, index) => `${server.hub.evictedThrough + 1 + index}`),
  );
});

test("resume: replayed events are authorised again", async () => {
  await using server = await MercureServer.open();
  publish(server, "/public/a", "private", { private: true });
  publish(server, "/public/a", "public");
  using nobody = await client(server, "match=/public/a", { lastEventId: "#e.0" });
  assert.deepEqual(await nobody.data(1), ["public"]);
  using pattern = await client(server, "match_urlpattern=/*", { lastEventId: "#e.0" });
  assert.deepEqual(await pattern.data(1), ["public"]);
});

test("resume: replay and live events join without a hole or a double, however slowly it is read", async () => {
  await using server = await MercureServer.open();
  const filler = "x".repeat(2000);
  const total = 3000;
  for (let index = 1; index <= 2000; index++) publish(server, "/public/a", `${index} ${filler}`);
  using sse = new SseClient(server.url, "match=/public/a", { lastEventId: "#e.0" });
  sse.socket.pause();
  while (server.registry.size === 0) await turn();
  for (let index = 2001; index <= total; index++) {
    publish(server, "/public/a", `${index} ${filler}`);
    if (index % 100 === 0) await turn();
    if (index === 2500) sse.socket.resume();
  }
  await sse.data(total);
  publish(server, "/public/a", "last");
  await sse.data(total + 1);
  assert.deepEqual(
    sse.events.map((event) => event.id),
    Array.from({ length: total + 1 }, (_, index) => `#e.${index + 1}`),
  );
});

test("resume: a replay that the log overtakes ends with insufficient_state, never with a silent hole", async () => {
  await using server = await MercureServer.open({ logBytesMax: 64 * 1024 * 1024 });
  // More than the sockets' buffers take, so that the replay waits for its reader.
  const filler = "x".repeat(200_000);
  for (let index = 0; index < 100; index++) publish(server, "/public/a", filler);
  using sse = new SseClient(server.url, "match=/public/a", { lastEventId: "#e.0" });
  sse.socket.pause();
  while (server.registry.size === 0) await turn();
  for (let index = 0; index < 20; index++) await turn();
  for (let index = 0; index < 120; index++) publish(server, "/public/a", filler);
  sse.socket.resume();
  await sse.ended();
  const ids = sse.events.map((event) => Number(event.id?.slice(3)));
  assert.deepEqual(
    ids,
    ids.map((_, index) => index + 1),
  );
  assert.equal(server.counters.closed.of("sse:insufficient_state"), 1);
});

test("state: a new subscriber of an exact topic gets its state first, and then may resume exactly", async () => {
  await using server = await MercureServer.open();
  publish(server, "/public/a", '{"bid":1}', { state: "merge" });
  publish(server, "/public/a", '{"ask":2}', { state: "merge" });
  publish(server, "/public/b", "other");
  using sse = await client(server, "match=/public/a");
  assert.deepEqual(
    (await sse.data(1)).map((data) => JSON.parse(data)),
    [{ bid: 1, ask: 2 }],
  );
  // The state's own id stands before everything: cut right after it, the client gets states again.
  assert.equal(sse.events[0]?.id, "#e.0");
  assert.equal(sse.lastEventId, "#e.3");
  sse.cut();
  publish(server, "/public/a", '{"bid":3}', { state: "merge" });
  using again = await client(server, "match=/public/a", { lastEventId: sse.lastEventId });
  assert.deepEqual(await again.data(1), ['{"bid":3}']);
});

test("state: after a gap the state comes, and not the changes that it holds already", async () => {
  await using server = await MercureServer.open();
  publish(server, "/public/a", '{"bid":1}', { state: "merge" });
  publish(server, "/public/b", "kept");
  publish(server, "/public/a", '{"ask":2}', { state: "merge" });
  using sse = await client(server, "match=/public/a&match=/public/b", { lastEventId: "#gone.1" });
  publish(server, "/public/a", '{"bid":4}', { state: "merge" });
  const [, state, ...events] = await sse.data(4);
  assert.deepEqual(JSON.parse(state ?? ""), { bid: 1, ask: 2 });
  assert.deepEqual(events, ["kept", '{"bid":4}']);
});

test("state: a private state goes only to who may have it", async () => {
  await using server = await MercureServer.open();
  publish(server, "/public/a", "secret", { state: "last", private: true });
  using nobody = await client(server, "match=/public/a");
  publish(server, "/public/a", "open");
  assert.deepEqual(await nobody.data(1), ["open"]);
});

test("heartbeat: repeats the cursor reached, so that a quiet client resumes exactly", async () => {
  await using server = await MercureServer.open();
  using sse = await client(server, "match=/public/a");
  for (let index = 0; index < 10; index++) publish(server, "/other", "noise");
  server.clock.advance(26_000);
  await sse.until(() => sse.body.includes(": heartbeat\nid: #e.10\n\n"));
  assert.deepEqual(sse.events, []);
  publish(server, "/public/a", "x");
  server.clock.advance(26_000);
  await sse.until(() => sse.body.includes(": heartbeat\nid: #e.11\n\n"));
});

test("heartbeat: is a named event where that is asked for", async () => {
  await using server = await MercureServer.open();
  using sse = await client(server, "match=/public/a&heartbeat=event");
  server.clock.advance(26_000);
  await sse.data(1);
  assert.deepEqual([sse.events[0]?.event, sse.events[0]?.data], ["heartbeat", '{"cursor":"#e.0"}']);
});

test("end: a token's stream ends no later than the token", async () => {
  await using server = await MercureServer.open();
  const expiresAtMs = server.clock.nowMs() + 60_000;
  const token = server.token("ann", { subscribe: ["/a"], expiresAtMs });
  using sse = await client(server, "match=/a", { token });
  server.clock.advance(59_000);
  assert.equal(server.registry.size, 1);
  server.clock.advance(1000);
  assert.equal(server.registry.size, 0);
  await sse.ended();
  assert.equal(server.counters.closed.of("sse:token_expired"), 1);
});

test("end: a client's FIN and its RST have their own reasons, and leave nothing behind", async () => {
  await using server = await MercureServer.open();
  const polite = await client(server, "match=/public/a&match_urlpattern=/public/*");
  const rude = await client(server, "match=/public/a");
  assert.equal(server.hub.stats().subscribers, 3);
  polite.socket.end();
  rude.cut();
  await server.registry.empty();
  assert.equal(server.counters.closed.of("sse:client_closed"), 1);
  assert.equal(server.counters.closed.of("sse:connection_reset"), 1);
  assert.deepEqual(
    { ...server.hub.stats() },
    { ...server.hub.stats(), subscribers: 0, topics: 0, patterns: 0 },
  );
  assert.equal(server.desk.wheel.size, 0);
});

test("end: those whom the gateway sends away are told when to come back, spread by jitter", async () => {
  await using server = await MercureServer.open();
  const clients = await Promise.all(Array.from({ length: 8 }, () => client(server, "match=/public/a")));
  server.registry.closeWhere(() => true, "shutdown");
  const retries = await Promise.all(
    clients.map(async (sse) => {
      await sse.ended();
      return /\nretry: (\d+)\n\n$/.exec(sse.body)?.[1];
    }),
  );
  assert.ok(new Set(retries).size > 4, `${retries}`);
});

test("capacity: who can't be let in is answered 200, told when to come back, and let go: never 429 or 503", async () => {
  await using server = await MercureServer.open({
    limits: { connections: 3, connectionsPerUser: 1, connectionsPerAddress: 3 },
  });
  const token = server.token("ann", { subscribe: ["/a"] });
  using first = await client(server, "match=/a", { token });
  using second = await client(server, "match=/a", { token });
  assert.equal(first.status, 200);
  await second.ended();
  assert.equal(second.status, 200);
  assert.match(second.body, /^: user_connection_limit.*\n\nretry: \d{4,5}\n\n$/);
  server.draining = true;
  using third = await client(server, "match=/public/a");
  await third.ended();
  assert.match(third.body, /^: draining.*\n\nretry: \d{4,5}\n\n$/);
  assert.equal(server.registry.size, 1);
});

test("attack: many at once do not get past the limit between admission and entry", async () => {
  await using server = await MercureServer.open({ limits: { connections: 5 } });
  const all = await Promise.all(Array.from({ length: 30 }, () => client(server, "match=/public/a")));
  assert.equal(server.registry.size, 5);
  assert.equal(all.filter((sse) => sse.body.startsWith(": ok")).length, 5);
  for (const sse of all) sse[Symbol.dispose]();
});

test("attack: a client that does not read is cut at its queue's bound", async () => {
  await using server = await MercureServer.open({ limits: { queueBytes: 256 * 1024 } });
  using sse = await client(server, "match=/public/a");
  sse.socket.pause();
  const data = "x".repeat(100_000);
  for (let index = 0; index < 400 && server.registry.size > 0; index++) {
    publish(server, "/public/a", data);
    await turn();
  }
  assert.equal(server.counters.closed.of("sse:slow_consumer"), 1);
  assert.equal(server.hub.stats().subscribers, 0);
});

test("attack: a client that stops reading is cut after heartbeat.timeout even with little to send", async () => {
  await using server = await MercureServer.open({ limits: { queueBytes: 64 * 1024 * 1024 } });
  using sse = await client(server, "match=/public/a");
  sse.socket.pause();
  for (let index = 0; index < 100; index++) publish(server, "/public/a", "x".repeat(100_000));
  await turn();
  server.clock.advance(60_000);
  assert.equal(server.counters.closed.of("sse:slow_consumer"), 1);
});

test("attack: bytes that follow the request are dropped", async () => {
  await using server = await MercureServer.open();
  using sse = await client(server, "match=/public/a");
  sse.socket.write("GET /.well-known/mercure?match=/public/b HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000));
  publish(server, "/public/a", "still here");
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
  publish(server, "/public/a", "1", { id: "ä 1" });
  using sse = await client(
    server,
    `match=/public/a&last_event_id=${encodeURIComponent("a\r\nSet-Cookie: x=1")}`,
  );
  assert.equal(sse.header("set-cookie"), null);
  assert.equal(sse.header("mercure-last-event-id"), "earliest");
});

test("attack: a cookie is not taken from another origin's page", async () => {
  await using server = await MercureServer.open({ origins: ["https://app.example.com"] });
  const token = server.token("ann", { subscribe: ["/a"] });
  const status = async (headers: Record<string, string>) => {
    using sse = await client(server, "match=/a", { headers: { Cookie: `${COOKIE}=${token}`, ...headers } });
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
  using allowed = await client(server, "match=/public/a", { headers: { Origin: "https://app.example.com" } });
  assert.equal(allowed.header("access-control-allow-origin"), "https://app.example.com");
  assert.equal(allowed.header("access-control-allow-credentials"), "true");
  assert.equal(allowed.header("access-control-expose-headers"), "Mercure-Last-Event-ID, Link");
  assert.equal(allowed.header("vary"), "Origin");
  using refused = await client(server, "match=/quotes/a", { headers: { Origin: "https://app.example.com" } });
  assert.equal(refused.header("access-control-allow-origin"), "https://app.example.com");
  using other = await client(server, "match=/public/a", { headers: { Origin: "https://evil.example" } });
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
  assert.equal(put.headers.get("allow"), "GET, HEAD, POST, OPTIONS");
  assert.equal((await fetch(`${server.url}/.well-known/mercurex`)).status, 404);
});
