import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { test } from "node:test";
import { MercureServer } from "../../test/helpers/mercure-server.ts";
import { DOCUMENTS_MAX } from "./mercure-subscriptions.ts";

const API = "/.well-known/mercure/subscriptions";
const WATCHER = { subscribe: [`${API}*`, `${API}/*`, "/quotes/*"] };

interface Listed {
  readonly id: string;
  readonly type: string;
  readonly subscriptions: readonly Record<string, unknown>[];
}

async function get(server: MercureServer, path: string, token?: string): Promise<Response> {
  return await fetch(`${server.url}${path}`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
}

test("Mercure subscriptions: streams are listed as a whole, by matcher and one by one, and no more when they end", async () => {
  await using server = await MercureServer.open();
  server.token("admin", { subscribe: ["*"] });
  const before = (await (await get(server, API, "admin")).json()) as Listed;
  assert.deepEqual(before, { id: API, type: "subscriptions", subscriptions: [] });
  using client = await server.client("match=/public/a*b&match_urlpattern=/public/:id");
  const response = await get(server, API, "admin");
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.match(response.headers.get("link") ?? "", /rel="mercure"; last-event-id="earliest"; type="mercure"/);
  const { subscriptions } = (await response.json()) as Listed;
  const subscriber = [...server.registry][0]?.id;
  assert.deepEqual(subscriptions, [
    {
      id: `${API}/exact/%2Fpublic%2Fa%2Ab/urn%3Auuid%3A${subscriber}`,
      type: "subscription",
      match_type: "exact",
      match: "/public/a*b",
      subscriber: `urn:uuid:${subscriber}`,
      active: true,
    },
    {
      id: `${API}/urlpattern/%2Fpublic%2F%3Aid/urn%3Auuid%3A${subscriber}`,
      type: "subscription",
      match_type: "urlpattern",
      match: "/public/:id",
      subscriber: `urn:uuid:${subscriber}`,
      active: true,
    },
  ]);
  const [first, second] = subscriptions as unknown as [Record<string, string>, Record<string, string>];
  const byMatcher = `${API}/urlpattern/%2Fpublic%2F%3Aid`;
  const some = (await (await get(server, byMatcher, "admin")).json()) as Listed;
  assert.deepEqual(some, { id: byMatcher, type: "subscriptions", subscriptions: [second] });
  server.publish("/other", "x");
  const one = await get(server, first.id as string, "admin");
  assert.match(one.headers.get("link") ?? "", /last-event-id="#e\.1"/);
  assert.deepEqual(await one.json(), first);
  client.socket.destroy();
  await server.registry.empty();
  assert.equal((await get(server, first.id as string, "admin")).status, 404);
  assert.equal(server.desk.subscriptions.size, 0);
});

test("Mercure subscriptions: whoever was granted the path may see it, nobody else", async () => {
  await using server = await MercureServer.open({ anonymous: ["*"] });
  server.token("watcher", WATCHER);
  server.token("trader", { subscribe: ["/quotes/*"] });
  assert.equal((await get(server, API)).status, 401);
  const refused = await get(server, API, "trader");
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get("www-authenticate") ?? "", /error="insufficient_scope"/);
  assert.equal((await get(server, API, "watcher")).status, 200);
  assert.equal((await get(server, `${API}/exact/%2Fa`, "watcher")).status, 200);
  assert.equal((await get(server, `${API}/exact`, "watcher")).status, 404);
  assert.equal((await get(server, `${API}/exact/%zz`, "watcher")).status, 404);
  const post = await fetch(`${server.url}${API}`, { method: "POST" });
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
});

test("Mercure subscriptions: whoever watches is told of each that begins and ends, as a private event of type mercure", async () => {
  await using server = await MercureServer.open({ anonymous: ["*"] });
  server.token("watcher", WATCHER);
  using watcher = await server.client(
    `match_urlpattern=${encodeURIComponent(`${API}/:type/:match/:subscriber`)}`,
    {
      token: "watcher",
    },
  );
  await watcher.data(1);
  using curious = await server.client("match=*");
  using client = await server.client("match=/public/a");
  await watcher.data(3);
  client.socket.destroy();
  await watcher.data(4);
  const told = watcher.events.map(
    ({ event, data }): Record<string, unknown> => ({ ...JSON.parse(data), event }),
  );
  assert.deepEqual(
    told.map(({ event, match, active }) => [event, match, active]),
    [
      ["mercure", `${API}/:type/:match/:subscriber`, true],
      ["mercure", "*", true],
      ["mercure", "/public/a", true],
      ["mercure", "/public/a", false],
    ],
  );
  server.publish("/public/a", "end");
  assert.deepEqual(await curious.data(1), ["end"]);
});

test("attack, subscriptions: with nobody watching, and by those who may not, no event enters the log", async () => {
  await using server = await MercureServer.open({ anonymous: ["*"] });
  server.token("trader", { subscribe: ["/quotes/*"] });
  using curious = await server.client(`match=*&match_urlpattern=${API}/*`);
  using trader = await server.client("match=*", { token: "trader" });
  for (let index = 0; index < 20; index++) {
    using client = await server.client("match=/public/a");
    assert.equal(client.status, 200);
  }
  assert.equal(server.hub.head, 0);
  assert.deepEqual([curious.events, trader.events], [[], []]);
});

test("Mercure subscriptions: the token's payload is told with them", async () => {
  await using server = await MercureServer.open();
  server.token("admin", { subscribe: ["*"] });
  server.token("ann", { subscribe: ["/quotes/*"] });
  const identity = server.tokens.get("ann");
  assert.ok(identity !== undefined && !(identity instanceof Error));
  const all = server.tokens.get("admin");
  assert.ok(all !== undefined && !(all instanceof Error));
  const payloads = [
    { topics: identity.subscribe, payload: { desk: 1 } },
    { topics: all.subscribe, payload: { desk: 2 } },
  ];
  server.tokens.set("ann", { ...identity, payloads });
  using client = await server.client("match=/quotes/A&match_urlpattern=/other/*", { token: "ann" });
  assert.equal(client.status, 200);
  const { subscriptions } = (await (await get(server, API, "admin")).json()) as Listed;
  assert.deepEqual(
    subscriptions.map(({ payload }) => payload),
    [{ desk: 1 }, { desk: 2 }],
  );
});

test("Mercure subscriptions: a long list is cut", async () => {
  await using server = await MercureServer.open();
  server.token("admin", { subscribe: ["*"] });
  const matchers = Array.from({ length: DOCUMENTS_MAX + 1 }, (_, index) => ({
    type: "exact" as const,
    pattern: `/t/${index}`,
    key: `exact:/t/${index}`,
    matches: () => false,
  }));
  server.desk.subscriptions.add({ id: "x", identity: server.desk.authenticator.anonymous, matchers });
  const { subscriptions } = (await (await get(server, API, "admin")).json()) as Listed;
  assert.equal(subscriptions.length, DOCUMENTS_MAX);
});

test("Mercure metadata: says what a client needs to know, and challenges lead to it", async () => {
  await using server = await MercureServer.open();
  const path = "/.well-known/oauth-protected-resource/.well-known/mercure";
  const refused = await get(server, "/.well-known/mercure?match=/secret");
  assert.equal(refused.status, 401);
  const [, url] =
    /^Bearer .*resource_metadata="([^"]+)"/.exec(refused.headers.get("www-authenticate") ?? "") ?? [];
  assert.equal(url, `${server.url}${path}`);
  const metadata = await fetch(url as string);
  assert.equal(metadata.headers.get("content-type"), "application/json");
  assert.deepEqual(await metadata.json(), {
    resource: `${server.url}/.well-known/mercure`,
    authorization_servers: ["https://issuer.example"],
    authorization_details_types_supported: ["https://mercure.rocks/authorization-detail"],
    bearer_methods_supported: ["header"],
    mercure_cookie: "__Secure-mercure_access_token",
    mercure_matcher_types_supported: ["exact", "urlpattern"],
    mercure_subscriptions: true,
  });
});

function query(
  server: MercureServer,
  search: string,
  body: string,
  type = "application/x-www-form-urlencoded",
) {
  return new Promise<{ status: number; first: string; end: () => void }>((resolve, reject) => {
    const request = httpRequest(
      `${server.url}/.well-known/mercure${search}`,
      { method: "QUERY", headers: { "content-type": type, "content-length": Buffer.byteLength(body) } },
      (response) => {
        response.setEncoding("utf8").once("data", (first: string) => {
          resolve({ status: response.statusCode ?? 0, first, end: () => response.destroy() });
        });
        response.on("error", () => {});
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

test("QUERY: matchers come in the body too, together with the URL's, whose last event id wins", async () => {
  await using server = await MercureServer.open();
  server.publish("/public/a", "one", { id: "id-1" });
  server.publish("/public/b", "two", { id: "id-2" });
  const many = Array.from({ length: 400 }, (_, index) => `match=/public/${"x".repeat(50)}${index}`).join("&");
  const { status, first, end } = await query(
    server,
    "?match=/public/a&last_event_id=earliest",
    `match=/public/b&last_event_id=id-2&${many}`,
  );
  assert.equal(status, 200);
  assert.equal([...server.registry][0]?.subscriberCount, 402);
  assert.match(first, /^:/);
  end();
});

test("QUERY: a body of another kind, or too large, is refused", async () => {
  await using server = await MercureServer.open();
  assert.equal((await query(server, "", "{}", "application/json")).status, 415);
  const large = `match=/public/a&x=${"x".repeat(70_000)}`;
  assert.equal((await query(server, "", large)).status, 413);
});
