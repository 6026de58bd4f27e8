import assert from "node:assert/strict";
import { test } from "node:test";
import { SERIES } from "#ops/admin/schemas.ts";
import { PASSWORD } from "../helpers/gateway.ts";
import { sumOf } from "../helpers/metrics-page.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { type TruthStage, truthStage } from "../helpers/truth-stage.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";

const yaml = (url: string) => `
feeds:
  quotes:
    url: ${url}/quotes?symbols={keys}
    topic: /quotes/{key}
    key: /symbol
    state: none
    pool: { gather: 10ms, linger: 1h }
    retry: { min: 20ms, max: 200ms, resetAfter: 0ms }
  forbidden:
    url: ${url}/forbidden?symbol={key}
    topic: /forbidden/{key}
    access: public
    pool: { gather: 10ms, linger: 1h }
    retry: { min: 1h, max: 1h }
`;

const FORBIDDEN = /^\/forbidden/;

async function stage(t: Parameters<typeof truthStage>[0]) {
  const on = await truthStage(t, yaml);
  on.feed.script = ({ url }, response) => {
    if (!FORBIDDEN.test(url ?? "")) return false;
    response.writeHead(403).end();
    return true;
  };
  on.ledger.set('database_connections{state="idle"}', 1);
  return on;
}

/** Follows `/quotes/AAPL` on both transports; the ledger knows. */
async function follow({ gateway, feed, ledger, ann, until }: TruthStage, sse: number, webSocket: number) {
  const streams = await Promise.all(
    Array.from({ length: sse }, () =>
      new SseClient(gateway.url, "match=/quotes/AAPL&match_urlpattern=/chat/*", { token: ann }).opened(),
    ),
  );
  const sockets = await Promise.all(
    Array.from({ length: webSocket }, () => WebSocketClient.signedIn(gateway.url, ann)),
  );
  for (const socket of sockets)
    for (const topic of ["/quotes/AAPL", "/chat/1"]) await socket.subscribe(topic);
  await until("the feed is followed", () => feed.keysServed().has("AAPL"));
  await until("the link is open", () => gateway.stats().keys === 1);
  ledger.add("connections_opened_total", sse + webSocket);
  ledger.add('connections{transport="sse"}', sse);
  ledger.add('connections{transport="websocket"}', webSocket);
  ledger.add('subscribers{transport="sse"}', 2 * sse);
  ledger.add('subscribers{transport="websocket"}', 2 * webSocket);
  ledger.set('links{feed="quotes",state="open"}', 1);
  ledger.set("link_age_seconds_count", 1);
  ledger.set('feed_keys{feed="quotes",state="wanted"}', 1);
  return { streams, sockets };
}

/** So many events were handed to so many connections. */
function delivered({ ledger }: TruthStage, events: number, sse: number, webSocket: number): void {
  ledger.add('deliveries_total{transport="sse"}', events * sse);
  ledger.add('deliveries_total{transport="websocket"}', events * webSocket);
}

/** One a write; how events share writes is the moment's. */
const lagCount = (value: number) => value > 0;

test("metrics' truth: a gateway at rest has nothing but zeros to show", async (t) => {
  const { compare } = await stage(t);
  await compare();
});

test("metrics' truth: connections, subscribers, deliveries and publications of both transports are what was done", async (t) => {
  const on = await stage(t);
  const { gateway, feed, ledger, ann, compare } = on;
  const { streams, sockets } = await follow(on, 3, 2);
  for (let n = 0; n < 7; n++) feed.publish("AAPL");
  const body = new URLSearchParams({ topic: "/chat/1", data: '"hello"' });
  for (let n = 0; n < 4; n++) {
    const headers = { authorization: `Bearer ${ann}` };
    assert.ok((await fetch(`${gateway.url}/.well-known/mercure`, { method: "POST", headers, body })).ok);
  }
  for (let n = 0; n < 2; n++)
    assert.ok((await sockets[0]?.ask({ publish: { channel: "/chat/1", data: n } }))?.publish);
  await Promise.all([...streams.map((each) => each.data(13)), ...sockets.map((each) => each.data(13))]);
  ledger.set('feed_events_total{feed="quotes"}', 7);
  ledger.set('events_published_total{source="feed"}', 7);
  ledger.set('events_published_total{source="mercure"}', 4);
  ledger.set('events_published_total{source="websocket"}', 2);
  delivered(on, 13, 3, 2);
  await compare({ delivery_lag_seconds_count: lagCount });
  assert.equal(gateway.stats().topics, 2, "/quotes/AAPL and /chat/1");
});

test("metrics' truth: resumes are told apart by transport and outcome, and replayed events are deliveries", async (t) => {
  const on = await stage(t);
  const { gateway, feed, ledger, ann, compare } = on;
  const { streams, sockets } = await follow(on, 1, 1);
  feed.publish("AAPL");
  await streams[0]?.data(1);
  await sockets[0]?.data(1);
  const cursor = streams[0]?.lastEventId ?? "";
  using observer = await WebSocketClient.signedIn(gateway.url, ann);
  const { epoch } = await observer.subscribe("/chat/2");
  feed.publish("AAPL");
  feed.publish("AAPL");
  await Promise.all([streams[0]?.data(3), sockets[0]?.data(3)]);
  const again = (lastEventId: string) =>
    new SseClient(gateway.url, "match=/quotes/AAPL", { token: ann, lastEventId }).opened();
  using exact = await again(cursor);
  await exact.data(2);
  using _lost = await again("#another-life.7");
  using socket = await WebSocketClient.signedIn(gateway.url, ann);
  const offset = sockets[0]?.publications[0]?.offset;
  const back = await socket.subscribe("/quotes/AAPL", { recover: true, epoch, offset });
  assert.equal(back.recovered, true);
  const elsewhere = await socket.subscribe("/quotes/MSFT", {
    recover: true,
    epoch: "another life",
    offset: 1,
  });
  assert.equal(elsewhere.recovered, false);
  await on.until("both keys are followed", () => feed.keysServed().has("MSFT"));
  await on.until("one link carries both", () => feed.streams === 1);
  ledger.add("connections_opened_total", 4);
  ledger.set('connections{transport="sse"}', 3);
  ledger.set('connections{transport="websocket"}', 3);
  ledger.set('subscribers{transport="sse"}', 4);
  ledger.set('subscribers{transport="websocket"}', 5);
  ledger.set('feed_keys{feed="quotes",state="wanted"}', 2);
  for (const transport of ["sse", "websocket"])
    for (const outcome of ["recovered", "unrecovered"])
      ledger.set(`resumes_total{transport="${transport}",outcome="${outcome}"}`, 1);
  ledger.set('feed_events_total{feed="quotes"}', 3);
  ledger.set('events_published_total{source="feed"}', 3);
  delivered(on, 3, 1, 1);
  // The exact resumes bring the two that were missed; who asks for another life's gets all that the log has (SSE), or
  // nothing (WebSocket).
  delivered(on, 2, 1, 1);
  delivered(on, 3, 1, 0);
  await compare({ delivery_lag_seconds_count: lagCount });
});

test("metrics' truth: credentials that were refused are counted by method and reason, and by the codes that were answered", async (t) => {
  const on = await stage(t);
  const { gateway, ledger, post, compare } = on;
  for (let n = 0; n < 2; n++)
    assert.equal((await post("/auth/login", { login: "ann", password: "wrong" })).status, 400);
  assert.equal((await post("/auth/refresh", { refresh_token: "not.a.token" })).status, 400);
  using wrong = await WebSocketClient.open(gateway.url);
  const reply = await wrong.ask({ connect: { data: { login: "ann", password: "wrong" } } });
  assert.equal(reply.error?.code, 103);
  using right = await WebSocketClient.open(gateway.url);
  assert.ok((await right.ask({ connect: { data: { login: "ann", password: PASSWORD } } })).connect);
  const refused = await new SseClient(gateway.url, "match=/quotes/AAPL", { token: "not.a.token" }).opened();
  assert.equal(refused.status, 401);
  using stranger = await WebSocketClient.open(gateway.url);
  await assert.rejects(stranger.ask({ connect: { token: "not.a.token" } }), /3500/);
  ledger.set('auth_failures_total{method="password",reason="wrong_credentials"}', 3);
  ledger.set('auth_failures_total{method="refresh",reason="invalid_refresh_token"}', 1);
  ledger.set('auth_failures_total{method="token",reason="invalid_token"}', 2);
  ledger.set('errors_total{room="downstream",code="permission_denied"}', 1);
  ledger.set('errors_total{room="downstream",code="invalid_token"}', 1);
  ledger.set("connections_opened_total", 3);
  ledger.set('connections{transport="websocket"}', 2);
  ledger.set('connections_closed_total{transport="websocket",reason="invalid_token"}', 1);
  ledger.set('connection_duration_seconds_count{transport="websocket"}', 1);
  await compare({ delivery_lag_seconds_count: lagCount });
});

test("metrics' truth: a feed's resets, reconnects, gaps and faults are those that the feed made", async (t) => {
  const on = await stage(t);
  const { gateway, feed, ledger, until, compare } = on;
  const { streams } = await follow(on, 1, 0);
  feed.publish("AAPL");
  await streams[0]?.data(1);
  for (let cut = 1; cut <= 2; cut++) {
    feed.resetAll();
    await until("it has noticed", () => feed.streams === 0);
    feed.publish("AAPL");
    await until("it is back", () => feed.streams === 1);
    await streams[0]?.data(1 + cut);
  }
  feed.endAll();
  await until("it is back", () => feed.requests.length === 4 && feed.streams === 1);
  feed.write("data: not json\n\ndata: {}\n\n");
  using _other = await new SseClient(gateway.url, "match=/forbidden/x").opened();
  await until("the feed has refused", () => feed.requests.length === 5);
  feed.publish("AAPL");
  await streams[0]?.data(4);
  await until("the refusal is known", () => gateway.stats().keys === 2);
  ledger.add("connections_opened_total");
  ledger.set('connections{transport="sse"}', 2);
  ledger.set('subscribers{transport="sse"}', 3);
  ledger.set('connection_resets_total{side="upstream"}', 2);
  ledger.set('sse_drops_total{side="upstream",reason="reset"}', 2);
  ledger.set('sse_drops_total{side="upstream",reason="ended"}', 1);
  ledger.set('link_reconnects_total{feed="quotes",reason="reset"}', 2);
  ledger.set('link_reconnects_total{feed="quotes",reason="ended"}', 1);
  // What could not be read may have been anybody's: the link's topics are told of one gap.
  ledger.set('feed_gaps_total{feed="quotes"}', 1);
  ledger.set('links{feed="forbidden",state="rejected"}', 1);
  ledger.set('feed_keys{feed="forbidden",state="wanted"}', 1);
  ledger.set('feed_keys{feed="forbidden",state="quarantined"}', 1);
  ledger.set('errors_total{room="upstream",code="not_json"}', 1);
  ledger.set('errors_total{room="upstream",code="no_key"}', 1);
  ledger.set('feed_events_total{feed="quotes"}', 4);
  ledger.set('events_published_total{source="feed"}', 4);
  delivered(on, 4, 1, 0);
  const page = await compare({ delivery_lag_seconds_count: lagCount });
  assert.equal(sumOf(page, "streamkeeper_errors_total"), (await on.admin("overview")).errors);
});

test("metrics' truth: the dashboard's overview and history have the same numbers", async (t) => {
  const on = await stage(t);
  const { gateway, feed, clock, post, admin, ledger, compare } = on;
  const { streams, sockets } = await follow(on, 2, 1);
  for (let n = 0; n < 5; n++) feed.publish("AAPL");
  await Promise.all([...streams.map((each) => each.data(5)), sockets[0]?.data(5)]);
  await post("/auth/login", { login: "ann", password: "wrong" });
  streams[1]?.cut();
  await on.until("its end is counted", () => gateway.totals().closed === 1);
  ledger.set('auth_failures_total{method="password",reason="wrong_credentials"}', 1);
  ledger.set('connections{transport="sse"}', 1);
  ledger.set('subscribers{transport="sse"}', 2);
  ledger.set('connections_closed_total{transport="sse",reason="connection_reset"}', 1);
  ledger.set('connection_duration_seconds_count{transport="sse"}', 1);
  ledger.set('connection_resets_total{side="downstream"}', 1);
  ledger.set('sse_drops_total{side="downstream",reason="connection_reset"}', 1);
  ledger.set('feed_events_total{feed="quotes"}', 5);
  ledger.set('events_published_total{source="feed"}', 5);
  delivered(on, 5, 2, 1);
  clock.advance(1000);
  const page = await compare({ delivery_lag_seconds_count: lagCount });
  const of = (name: string, label = "") => sumOf(page, `streamkeeper_${name}`, label);
  const overview = await admin("overview");
  assert.deepEqual(
    [
      overview.connections,
      overview.opened,
      overview.closed,
      overview.resets,
      overview.subscribers,
      overview.topics,
      overview.published,
      overview.deliveries,
      overview.authFailures,
      overview.errors,
      overview.reconnects,
      overview.gaps,
      overview.links,
      overview.log.bytes,
      overview.closedByReason,
    ],
    [
      { sse: of("connections", '"sse"'), websocket: of("connections", '"websocket"') },
      of("connections_opened_total"),
      of("connections_closed_total"),
      of("connection_resets_total", '"downstream"'),
      of("subscribers"),
      of("topics"),
      of("events_published_total"),
      of("deliveries_total"),
      of("auth_failures_total"),
      of("errors_total"),
      of("link_reconnects_total"),
      of("feed_gaps_total"),
      { open: of("links", '"open"') },
      of("log_bytes"),
      { connection_reset: 1 },
    ],
  );
  const { series } = await admin("history?step=1s");
  assert.deepEqual(Object.keys(series).toSorted(), [...SERIES].toSorted());
  const summed = (name: string) =>
    (series[name] as (number | null)[]).reduce<number>((sum, value) => sum + (value ?? 0), 0);
  const last = (name: string) => (series[name] as (number | null)[]).at(-1);
  assert.deepEqual(
    ["opened", "closed", "resets", "published", "deliveries", "authFailures", "errors"].map(summed),
    [3, 1, 1, 5, 15, 1, of("errors_total")],
  );
  assert.deepEqual(
    ["connectionsSse", "connectionsWebsocket", "subscribers", "topics", "linksOpen", "logBytes"].map(last),
    [1, 1, 4, 2, 1, of("log_bytes")],
  );
});
