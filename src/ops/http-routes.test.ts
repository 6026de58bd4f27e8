import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { fastify } from "fastify";
import type { Readiness } from "./health.ts";
import { opsRoutes } from "./http-routes.ts";
import { isDirectLoopback } from "./insider.ts";
import type { GatewayMetrics } from "./metrics.ts";

const METRICS = {
  contentType: "text/plain; version=0.0.4; charset=utf-8",
  render: async () => "streamkeeper_topics 5\n",
} as GatewayMetrics;

const NOT_READY: Readiness = {
  ready: false,
  reasons: [{ code: "draining", severity: "failure", message: "the gateway drains: it is about to stop" }],
};

async function serve(t: TestContext, options: { readiness?: () => Readiness; metricsPublic?: boolean } = {}) {
  const app = fastify();
  await app.register(opsRoutes, {
    metrics: METRICS,
    readiness: options.readiness ?? (() => NOT_READY),
    isAdminToken: async (token) => {
      if (token === "broken") throw new Error("invalid_token");
      return token === "admin";
    },
    metricsPublic: () => options.metricsPublic ?? false,
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  t.after(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  return (path: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>(
      (resolve, reject) => {
        httpRequest({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
          let body = "";
          response.setEncoding("utf8").on("data", (text) => {
            body += text;
          });
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          );
        })
          .on("error", reject)
          .end();
      },
    );
}

const PROXIED = { "x-forwarded-for": "203.0.113.7" };

test("ops routes: /healthz answers 200 to anyone, not to be cached or framed", async (t) => {
  const get = await serve(t);
  const { status, headers, body } = await get("/healthz", PROXIED);
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(body), { status: "ok" });
  assert.equal(headers["cache-control"], "no-store");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.match(String(headers["content-security-policy"]), /default-src 'none'/);
});

test("ops routes: /readyz is 503 with reasons for a loopback peer, and without for one behind a proxy", async (t) => {
  const get = await serve(t);
  const local = await get("/readyz");
  assert.equal(local.status, 503);
  assert.equal(JSON.parse(local.body).reasons[0].code, "draining");
  const remote = await get("/readyz", PROXIED);
  assert.equal(remote.status, 503);
  assert.deepEqual(JSON.parse(remote.body), { status: "not ready" });
});

test("ops routes: /readyz is 200 with a warning, and 503 when asking fails", async (t) => {
  const warned = await serve(t, {
    readiness: () => ({
      ready: true,
      reasons: [{ code: "feed_rejected", severity: "warning", message: "m" }],
    }),
  });
  const answer = await warned("/readyz");
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).reasons.length, 1);
  const failing = await serve(t, {
    readiness: () => {
      throw new Error("no");
    },
  });
  assert.equal((await failing("/readyz")).status, 503);
});

test("ops routes: /metrics is for direct loopback peers and administrators", async (t) => {
  const get = await serve(t);
  const local = await get("/metrics");
  assert.equal(local.status, 200);
  assert.equal(local.headers["content-type"], METRICS.contentType);
  assert.equal(local.body, "streamkeeper_topics 5\n");
  assert.equal((await get("/metrics", { ...PROXIED, authorization: "Bearer admin" })).status, 200);
  const bare = await get("/metrics", PROXIED);
  assert.equal(bare.status, 401);
  assert.equal(bare.headers["www-authenticate"], "Bearer");
  const refused = await get("/metrics", { ...PROXIED, authorization: "Bearer user" });
  assert.equal(refused.status, 403);
  assert.match(String(refused.headers["www-authenticate"]), /insufficient_scope/);
  assert.equal((await get("/metrics", { ...PROXIED, authorization: "Bearer broken" })).status, 401);
});

test("ops routes: listen.metrics public shows metrics and reasons to all", async (t) => {
  const get = await serve(t, { metricsPublic: true });
  assert.equal((await get("/metrics", PROXIED)).status, 200);
  assert.equal(JSON.parse((await get("/readyz", PROXIED)).body).reasons.length, 1);
});

test("ops routes: a page whose name was rebound to loopback sees neither metrics nor reasons", async (t) => {
  const get = await serve(t);
  assert.equal((await get("/metrics", { host: "evil.example:8080" })).status, 401);
  assert.equal(JSON.parse((await get("/readyz", { host: "evil.example" })).body).reasons, undefined);
});

test("insider: loopback addresses of both families, and nobody behind any kind of proxy", () => {
  const peer = (address: string | undefined, headers = {}) => isDirectLoopback({ address, headers });
  for (const address of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
    assert.equal(peer(address), true, address);
  for (const address of ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "127.evil", "", undefined])
    assert.equal(peer(address), false, String(address));
  for (const header of ["forwarded", "x-forwarded-for", "via", "x-real-ip"])
    assert.equal(peer("127.0.0.1", { [header]: "" }), false, header);
  for (const host of ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080", "demo.localhost:80"])
    assert.equal(peer("127.0.0.1", { host }), true, host);
  for (const host of ["example.com", "localhost.evil.com", "127.0.0.1.evil.com", ""])
    assert.equal(peer("127.0.0.1", { host }), false, host);
});
