import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Gateway } from "#app/gateway.ts";
import { ENDPOINTS } from "#ops/admin/endpoints.ts";
import { MERCURE_COOKIE } from "#protocol/mercure.ts";
import { FeedServer } from "../helpers/feed-server.ts";
import { openGateway, PASSWORD, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";

const yaml = (url: string) => `
feeds:
  quotes:
    url: ${url}/quotes?symbols={keys}
    topic: /quotes/{key}
    key: /symbol
    state: last
    headers: { authorization: "Bearer the feed's secret" }
    pool: { gather: 10ms, linger: 10s }
    retry: { min: 20ms, max: 200ms, resetAfter: 1s }
`;

/** A gateway on a feed, with an administrator `root`, and a way to ask its API that checks every answer. */
async function stage(t: TestContext) {
  const feed = await FeedServer.open();
  const gateway = await openGateway(yaml(feed.origin));
  t.after(async () => {
    await gateway[Symbol.asyncDispose]();
    await feed[Symbol.asyncDispose]();
  });
  await gateway.addUser("root", PASSWORD, "admin");
  const admin = await signIn(gateway, "root");
  return { feed, gateway, admin, ask: asking(gateway, admin) };
}

type Json = Record<string, unknown>;

/** Asks as an administrator. What is answered must be what the API's document says. */
function asking(gateway: Gateway, token: string) {
  // biome-ignore lint/suspicious/noExplicitAny: the schemas were just held against it
  return async (method: string, path: string, body?: Json, status = 200): Promise<any> => {
    const response = await fetch(`${gateway.url}/admin/api${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Json;
    assert.equal(response.status, status, JSON.stringify(answer));
    if (status === 200 && path.startsWith("/v1/")) {
      const bare = path.split("?", 1)[0] ?? "";
      const endpoint = ENDPOINTS.find(
        (each) =>
          each.method === method && new RegExp(`^${each.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(bare),
      );
      assert.ok(endpoint, path);
      assert.deepEqual(endpoint.answer.parse(answer), answer);
    }
    return answer;
  };
}

/** Asks again until it is so; each question takes its time, and the last one comes within ten seconds. */
async function asked(what: string, question: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await question())) {
    assert.ok(performance.now() < deadline, what);
    await new Promise(setImmediate);
  }
}

test("admin API: whoever shows nothing, or a role without admin, gets nothing", async (t) => {
  const { gateway } = await stage(t);
  const trader = await signIn(gateway);
  for (const { method, path } of ENDPOINTS) {
    const url = `${gateway.url}/admin/api${path.replaceAll(/\{\w+\}/g, "1")}`;
    const nobody = await fetch(url, { method });
    assert.equal(nobody.status, 401, path);
    const refused = await fetch(url, { method, headers: { authorization: `Bearer ${trader}` } });
    assert.equal(refused.status, 403, path);
    assert.equal(((await refused.json()) as Json).error, "insufficient_scope");
  }
  assert.equal((await fetch(`${gateway.url}/admin/api/openapi.json`)).status, 401);
});

test("admin API: a page of another origin gets nothing, not even with an administrator's token or cookie", async (t) => {
  const { gateway, admin } = await stage(t);
  const url = `${gateway.url}/admin/api/v1/overview`;
  const cookie = `${MERCURE_COOKIE}=${admin}`;
  const status = async (headers: Record<string, string>) => (await fetch(url, { headers })).status;
  assert.equal(await status({ origin: "https://evil.example", authorization: `Bearer ${admin}` }), 403);
  assert.equal(await status({ origin: "https://evil.example", cookie }), 403);
  assert.equal(await status({ "sec-fetch-site": "cross-site", cookie }), 403);
  assert.equal(await status({ cookie }), 401, "a cookie without a word about the page counts for nothing");
  assert.equal(await status({ origin: gateway.url, cookie }), 200);
  const drained = await fetch(`${gateway.url}/admin/api/v1/drain`, {
    method: "POST",
    headers: { origin: "https://evil.example", cookie },
  });
  assert.equal(drained.status, 403);
  assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200, "nothing drains");
});

test("admin API: a guessed path tells nobody but administrators that there is nothing", async (t) => {
  const { gateway, ask } = await stage(t);
  for (const path of ["/v1/secrets", "/v2/overview", "/", "/v1/connections/../../etc"]) {
    assert.equal((await fetch(`${gateway.url}/admin/api${path}`)).status, 401, path);
  }
  await ask("GET", "/v1/secrets", undefined, 404);
});

test("admin API: its document is OpenAPI 3.1 and names every operation once", async (t) => {
  const { ask } = await stage(t);
  const document = await ask("GET", "/openapi.json");
  assert.equal(document.openapi, "3.1.0");
  const operations = Object.values(document.paths as Json).flatMap((path) => Object.values(path as Json));
  assert.equal(operations.length, ENDPOINTS.length);
  assert.equal(new Set(operations.map((each) => (each as Json).operationId)).size, ENDPOINTS.length);
  const text = JSON.stringify(document);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    assert.ok(document.components.schemas[name as string], `${name} is described`);
  }
});

test("admin API: bad values are refused, each with its name", async (t) => {
  const { ask } = await stage(t);
  const answer = await ask("GET", "/v1/connections?limit=0&sort=beauty", undefined, 400);
  assert.match(answer.error_description, /limit.*sort|sort.*limit/);
  await ask("GET", "/v1/history?step=1y", undefined, 400);
  await ask("POST", "/v1/connections/nobody/close", { reconnect: "perhaps" }, 400);
  await ask("POST", "/v1/connections/nobody/close", {}, 404);
});

test("admin API: connections are listed, searched, shown, and closed with their reason", async (t) => {
  const { gateway, ask } = await stage(t);
  const token = await signIn(gateway);
  using stream = await new SseClient(gateway.url, "match=/quotes/AAPL&match_urlpattern=/chat/*", {
    token,
  }).opened();
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  await socket.subscribe("/quotes/AAPL");
  const { connections, total } = await ask("GET", "/v1/connections?sort=subscribers");
  assert.equal(total, 2);
  assert.deepEqual(
    connections.map(({ transport, user, subscribers }: Json) => [transport, user, subscribers]),
    [
      ["sse", "ann", 2],
      ["websocket", "ann", 1],
    ],
  );
  assert.equal((await ask("GET", "/v1/connections?search=nobody")).total, 0);
  assert.equal((await ask("GET", "/v1/connections?transport=websocket")).total, 1);
  const [sse, webSocket] = connections;
  const shown = await ask("GET", `/v1/connections/${sse.id}`);
  assert.deepEqual(shown.subscribers.map(({ selector, type }: Json) => [selector, type]).sort(), [
    ["/chat/*", "urlpattern"],
    ["/quotes/AAPL", "exact"],
  ]);
  const shownToo = await ask("GET", `/v1/connections/${webSocket.id}`);
  assert.deepEqual(shownToo.subscribers[0].selector, "/quotes/AAPL");
  assert.equal((await ask("GET", "/v1/subscribers?topic=/quotes/AAPL")).total, 2);
  assert.equal((await ask("GET", "/v1/topics?search=aapl")).topics[0].subscribers, 2);

  await ask("POST", `/v1/connections/${sse.id}/close`, { reconnect: true });
  await stream.ended();
  await ask("POST", `/v1/connections/${webSocket.id}/close`, { reconnect: false });
  await asked("both are closed", () => gateway.stats().sockets === 0);
  const { connections: ended } = await ask("GET", "/v1/connections?state=closed&sort=age");
  assert.deepEqual(ended.map(({ reason }: Json) => reason).sort(), ["forced_disconnect", "forced_reconnect"]);
});

test("admin API: a link is rotated and cut, and its life is told", async (t) => {
  const { feed, gateway, ask } = await stage(t);
  const token = await signIn(gateway);
  using stream = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();
  await feed.streaming("AAPL");
  const linkOf = async () => {
    const { feeds } = await ask("GET", "/v1/feeds");
    return feeds[0].links.find(({ state }: Json) => state === "open");
  };
  const first = await linkOf();
  await ask("POST", `/v1/feeds/quotes/links/${first.id}/cut`, undefined, 404);
  await ask("POST", `/v1/feeds/quotes/links/${first.id}/close`);
  await asked("another link is open", async () => {
    const link = await linkOf();
    return link !== undefined && link.id !== first.id;
  });
  feed.resetAll();
  await asked("a reset is told", async () => {
    const { groups } = await ask("GET", "/v1/errors?search=upstream");
    return groups.some(({ code, peer }: Json) => code === "reset" && peer === "quotes");
  });
  await asked("it is open again", async () => (await linkOf()) !== undefined);
  const healed = await linkOf();
  feed.publish("AAPL");
  await stream.data(1);
  await ask("POST", `/v1/feeds/quotes/links/${healed.id}/rotate`);
  feed.publish("AAPL");
  await asked("it was replaced", async () => (await linkOf())?.id !== healed.id);
  const { feeds } = await ask("GET", "/v1/feeds");
  assert.doesNotMatch(JSON.stringify(feeds), /secret/);
  const life = feeds[0].bands.find(({ link }: Json) => link === healed.id);
  const states = life.changes.map(([, state]: [number, string]) => state);
  for (const state of ["connecting", "open", "waiting"])
    assert.ok(states.includes(state), JSON.stringify(feeds));
  await ask("POST", "/v1/feeds/quotes/links/999/rotate", undefined, 404);
});

test("admin API: a disabled user's connections end, and sessions are ended one by one", async (t) => {
  const { gateway, ask } = await stage(t);
  const token = await signIn(gateway);
  using stream = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
  const { users } = await ask("GET", "/v1/users");
  assert.deepEqual(
    users.map(({ name, connections }: Json) => [name, connections]),
    [
      ["ann", 1],
      ["root", 0],
    ],
  );
  const { sessions } = await ask("GET", "/v1/users/ann/sessions");
  assert.equal(sessions[0].connections, 1);
  assert.equal((await ask("DELETE", `/v1/sessions/${sessions[0].id}`)).changed, 1);
  await stream.ended();
  const again = await signIn(gateway);
  using second = await new SseClient(gateway.url, "match=/chat/1", { token: again }).opened();
  await ask("POST", "/v1/users/ann/disable");
  await second.ended();
  await assert.rejects(signIn(gateway), /sign-in failed/);
  await ask("POST", "/v1/users/ann/enable");
  await signIn(gateway);
  assert.equal((await ask("DELETE", "/v1/users/ann/sessions")).changed, 1);
  await ask("POST", "/v1/users/nobody/disable", undefined, 404);
  await ask("GET", "/v1/users/nobody/sessions", undefined, 404);
});

test("admin API: the overview and history agree with what happened", async (t) => {
  const { gateway, ask } = await stage(t);
  const token = await signIn(gateway);
  using _stream = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
  await assert.rejects(signIn(gateway, "ann", "wrong"));
  await asked("history has seen it", async () => {
    const { series } = await ask("GET", "/v1/history");
    return series.connectionsSse.at(-1) === 1 && series.opened.some((count: number) => count === 1);
  });
  const overview = await ask("GET", "/v1/overview");
  assert.equal(overview.health.level, "well", JSON.stringify(overview.health));
  assert.match(overview.health.sentence, /^All is well: 1 connection, /);
  assert.deepEqual(overview.connections, { sse: 1, websocket: 0 });
  assert.equal(overview.authFailures, 1);
  await asked("it is among the errors", async () => {
    const { groups } = await ask("GET", "/v1/errors");
    return groups.some(({ code, count }: Json) => code === "password:wrong_credentials" && count === 1);
  });
});

test("admin API: what goes on comes over the gateway's own streams, to administrators only", async (t) => {
  const { gateway, admin } = await stage(t);
  using stream = await new SseClient(gateway.url, "match=/.streamkeeper/overview", { token: admin }).opened();
  await stream.data(2);
  assert.equal(JSON.parse(stream.events[1]?.data ?? "").connections.sse, 1);
  const token = await signIn(gateway);
  const url = `${gateway.url}/.well-known/mercure?match=/.streamkeeper/overview`;
  const refused = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(refused.status, 403);
  const published = await fetch(`${gateway.url}/.well-known/mercure`, {
    method: "POST",
    headers: { authorization: `Bearer ${admin}`, "content-type": "application/x-www-form-urlencoded" },
    body: "topic=/.streamkeeper/overview&data=lies",
  });
  assert.equal(published.status, 403);
});

test("admin API: a drain that an administrator wishes for ends the gateway in order", async (t) => {
  const { gateway, ask } = await stage(t);
  const token = await signIn(gateway);
  using stream = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
  const { draining } = await ask("POST", "/v1/drain");
  assert.equal(draining, true);
  await stream.ended();
  await gateway.over;
});
