import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthError } from "#auth/auth-error.ts";
import type { RefusalCode } from "#downstream/mercure-refusal.ts";
import { TopicRefused } from "#hub/hub.ts";
import type { MercureErrorCode } from "#protocol/mercure.ts";
import { TOPICS_MAX } from "#protocol/mercure-publish.ts";
import { compileMatcher } from "#protocol/topic-matcher.ts";
import { MercureServer, type MercureServerOptions } from "../helpers/mercure-server.ts";

interface Way {
  readonly options?: MercureServerOptions;
  readonly before?: (server: MercureServer) => void | Promise<void>;
  /** Default GET. */
  readonly method?: string;
  /** Behind `/.well-known/mercure`. */
  readonly at?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default 400. 200: a stream that is told to come back. */
  readonly status?: number;
}

/** Of somebody who may subscribe to and publish below `/quotes/`. */
const BEARER = { authorization: "Bearer ann" };
const FORM = { ...BEARER, "content-type": "application/x-www-form-urlencoded" };
const STREAM = "?match=/public/x";

const publishing = (body: string, status = 400): Way => ({ method: "POST", headers: FORM, body, status });
const failing = (error: Error) => (server: MercureServer) => void server.tokens.set("ann", error);

/** One way to each fault of a request. A code without one does not compile. */
const FAULTS: Readonly<Record<MercureErrorCode, Way>> = {
  bad_encoding: { at: "?match=%FF" },
  no_matcher: { at: "" },
  unknown_matcher_type: { at: "?match_regexp=x" },
  bad_matcher: { at: "?match_urlpattern=%7B" },
  too_many_matchers: { options: { limits: { subscribersPerConnection: 1 } }, at: "?match=/a&match=/b" },
  bad_heartbeat: { at: `${STREAM}&heartbeat=often` },
  not_a_form: {
    method: "POST",
    headers: { ...FORM, "content-type": "application/json" },
    body: "{}",
    status: 415,
  },
  body_too_large: { ...publishing(`topic=/quotes/x&data=${"x".repeat(70_000)}`, 413) },
  too_many_fields: publishing("a&".repeat(20_000), 413),
  no_topic: publishing("data=1"),
  bad_topic: publishing("topic=%00"),
  reserved_topic: publishing("topic=/.well-known/mercure/x"),
  too_many_topics: publishing("topic=/quotes/x&".repeat(TOPICS_MAX + 1), 413),
  bad_id: publishing("topic=/quotes/x&id=%231"),
  bad_type: publishing("topic=/quotes/x&type=mercure"),
  bad_retry: publishing("topic=/quotes/x&retry=soon"),
  field_too_long: publishing(`topic=/quotes/x&id=${"i".repeat(2000)}`, 413),
};

/** One way to each refusal. */
const REFUSALS: Readonly<Record<RefusalCode, Way>> = {
  invalid_request: { at: STREAM, headers: { authorization: "Basic YTpi" } },
  invalid_token: { at: STREAM, headers: { authorization: "Bearer nobody" }, status: 401 },
  unauthorized: { at: "?match=/quotes/x", status: 401 },
  insufficient_scope: { at: "?match=/secret/x", headers: BEARER, status: 403 },
  origin_not_allowed: {
    at: STREAM,
    headers: { cookie: "__Secure-mercure_access_token=ann", origin: "https://evil.example" },
    status: 403,
  },
  issuer_unreachable: {
    ...publishing("topic=/quotes/x", 503),
    before: failing(new AuthError("issuer_unreachable", "no keys")),
  },
  busy: { ...publishing("topic=/quotes/x", 503), before: failing(new AuthError("busy", "too many")) },
  // A GET with a body that has not come yet can't become a stream.
  bad_request: { at: STREAM, headers: { "content-length": "5" } },
  draining: {
    at: STREAM,
    before: (server) => {
      server.draining = true;
    },
    status: 200,
  },
  memory_short: { at: STREAM, before: (server) => server.registry.refuse("memory"), status: 200 },
  feed_full: {
    at: STREAM,
    before: (server) => {
      server.hub.subscribe = () => {
        throw new TopicRefused("/public/x");
      };
    },
    status: 200,
  },
  connection_limit: { at: STREAM, options: { limits: { connections: 0 } }, status: 200 },
  user_connection_limit: {
    at: STREAM,
    headers: BEARER,
    options: { limits: { connectionsPerUser: 0 } },
    status: 200,
  },
  address_connection_limit: { at: STREAM, options: { limits: { connectionsPerAddress: 0 } }, status: 200 },
  connection_rate: { at: STREAM, options: { limits: { connectionsPerSecond: 0 } }, status: 200 },
  pattern_limit: {
    at: "?match_urlpattern=/public/:a*:b*:c*",
    before: (server) => {
      const sink = { deliver: () => {} };
      for (let index = 0; index < 256; index++)
        server.hub.subscribe(sink, compileMatcher("urlpattern", `/public/:a*:b*:c*${index}`));
    },
    status: 200,
  },
  no_subscription: {
    at: "/subscriptions/exact/%2Fpublic%2Fx/urn:uuid:nobody",
    before: (server) => void server.token("ann", { subscribe: ["*"] }),
    headers: BEARER,
    status: 404,
  },
  server_error: { ...publishing("topic=/quotes/x", 500), before: failing(new Error("the database is gone")) },
};

for (const [code, way] of [...Object.entries(FAULTS), ...Object.entries(REFUSALS)]) {
  test(`refused: ${code} is answered with its status, and counted`, async () => {
    await using server = await MercureServer.open(way.options);
    server.token("ann", { subscribe: ["/quotes/*"], publish: ["*"] });
    await way.before?.(server);
    const { status, text } = await ask(server, way);
    assert.equal(status, way.status ?? 400, text);
    if (status === 200) assert.match(text, new RegExp(`: ${code}: come back later\\n[^]*retry: \\d+\\n`));
    else assert.match(text, new RegExp(`"code":"${code}","detail":"[^"]`));
    assert.equal(server.counters.errors.of(code), 1);
    assert.equal(server.counters.errors.total, 1);
  });
}

/** By a bare socket, since no library sends all of this. */
async function ask(
  server: MercureServer,
  { method = "GET", at = "", headers = {}, body = "" }: Way,
): Promise<{ status: number; text: string }> {
  const { connect } = await import("node:net");
  const socket = connect(server.port, "127.0.0.1").setEncoding("utf8");
  const fields = { Host: "localhost", Connection: "close", ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  if (body !== "") lines.push(`Content-Length: ${Buffer.byteLength(body)}\r\n`);
  socket.write(`${method} /.well-known/mercure${at} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return { status: Number(text.split(" ")[1]), text };
}
