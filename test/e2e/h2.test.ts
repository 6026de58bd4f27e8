import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Http2ServerRequest } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { queryObjects } from "node:v8";
import { WebSocket } from "ws";
import type { Gateway } from "#app/gateway.ts";
import { SseConnection } from "#downstream/sse-connection.ts";
import { until } from "../helpers/feed-server.ts";
import { openGateway, PASSWORD } from "../helpers/gateway.ts";
import { Http2Client } from "../helpers/http2-client.ts";
import { END_HEADERS, END_STREAM, FrameType, Http2RawClient } from "../helpers/http2-raw-client.ts";
import { required } from "../helpers/required.ts";

const FIXTURES = new URL("../fixtures/tls/", import.meta.url).pathname;
const ca = readFileSync(`${FIXTURES}ca.crt`);
const TLS = `tls: { cert: ${FIXTURES}good.crt, key: ${FIXTURES}good.key }`;
const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;

const openSecure = (more = "", listen?: string): Promise<Gateway> =>
  openGateway(`${TLS}\n${more}`, {}, listen);

async function gone(gateway: Gateway): Promise<void> {
  await until("nobody is left", () => {
    const { connections, sockets, subscribers, deadlines } = gateway.stats();
    return connections.sse + connections.websocket + sockets + subscribers + deadlines === 0;
  });
  const { opened, closed } = gateway.totals();
  assert.equal(opened, closed);
}

test("HTTP/2: a stream's head and events come, and the client's leaving is its end", async () => {
  await using gateway = await openSecure();
  await using client = await Http2Client.dial(gateway.url);
  const events = await client.follow("match=/public/x");
  assert.equal(events.status, 200);
  assert.equal(events.headers["content-type"], "text/event-stream");
  assert.equal(events.headers["x-accel-buffering"], "no");
  assert.equal(events.headers.connection, undefined);
  gateway.hub.publish({ topics: ["/public/x"], data: "one" });
  await until("the event", () => events.data.includes("one"));
  assert.deepEqual(gateway.stats().connections, { sse: 1, websocket: 0 });
  events.stream.close(CANCEL);
  await gone(gateway);
  assert.equal(gateway.stats().sessions, 1, "the session stays for the next stream");
  await client[Symbol.asyncDispose]();
  await until("no session", () => gateway.stats().sessions === 0);
});

test("HTTP/2: what the framework serves is served too: signing in, with a body, and what is not there", async () => {
  await using gateway = await openSecure();
  await using client = await Http2Client.dial(gateway.url);
  const login = await client.ask(
    "POST",
    "/auth/login",
    { "content-type": "application/json" },
    JSON.stringify({ login: "ann", password: PASSWORD }),
  );
  assert.equal(login.status, 200, login.body);
  const { access_token: token } = JSON.parse(login.body);
  const authorization = `Bearer ${token}`;
  assert.equal((await client.ask("GET", "/auth/me", { authorization })).status, 200);
  assert.equal((await client.ask("GET", "/nothing")).status, 404);
  assert.equal((await client.ask("GET", "/healthz")).status, 200);
  const form = { "content-type": "application/x-www-form-urlencoded", authorization };
  const events = await client.follow("match=/chat/x", { authorization });
  const published = await client.ask("POST", "/.well-known/mercure", form, "topic=/chat/x&data=hello");
  assert.equal(published.status, 200, published.body);
  await until("the event", () => events.data.includes("hello"));
  const refused = await client.ask("GET", "/.well-known/mercure?match=/quotes/x");
  assert.equal(refused.status, 401);
  assert.match(String(refused.headers["www-authenticate"]), /resource_metadata="https:\/\/localhost:\d+\//);
});

test("HTTP/2: the authority is the host, so that a page of another one is a stranger there as well", async () => {
  await using gateway = await openSecure();
  await using client = await Http2Client.dial(gateway.url);
  const { port } = new URL(gateway.url);
  const cookie = `__Secure-mercure_access_token=${await tokenOf(client)}`;
  const own = { cookie, origin: `https://localhost:${port}` };
  assert.equal((await client.follow("match=/quotes/x", own)).status, 200);
  const foreign = {
    cookie,
    origin: "https://evil.example",
    host: "evil.example",
    ":authority": `localhost:${port}`,
  };
  assert.equal((await client.ask("GET", "/.well-known/mercure?match=/quotes/x", foreign)).status, 403);
});

async function tokenOf(client: Http2Client): Promise<string> {
  const body = JSON.stringify({ login: "ann", password: PASSWORD });
  const answer = await client.ask("POST", "/auth/login", { "content-type": "application/json" }, body);
  return JSON.parse(answer.body).access_token;
}

test("HTTP/2: twenty streams share a session, each gets its own topic's events, and no object is left of them", async () => {
  await using gateway = await openSecure();
  await using client = await Http2Client.dial(gateway.url);
  const streams = await Promise.all(
    Array.from({ length: 20 }, (_, index) => client.follow(`match=/public/${index}`)),
  );
  assert.equal(gateway.stats().sessions, 1);
  for (let index = 0; index < 20; index++) {
    gateway.hub.publish({ topics: [`/public/${index}`], data: `of ${index}` });
  }
  await until("all", () => streams.every(({ data }) => data.length === 1));
  assert.deepEqual(
    streams.map(({ data }) => data[0]),
    Array.from({ length: 20 }, (_, index) => `of ${index}`),
  );
  for (const { stream } of streams.splice(0)) stream.close(CANCEL);
  await gone(gateway);
  const live = () => [SseConnection, Http2ServerRequest].map((one) => queryObjects(one, { format: "count" }));
  await until("their objects are gone", () => live().every((count) => count === 0));
  assert.equal(gateway.stats().sessions, 1, "though their session is still there");
});

test("HTTP/2: a stream that is not read ends as slow, and its session's other streams go on", async () => {
  await using gateway = await openSecure("limits: { queueBytes: 64KiB }");
  await using client = await Http2Client.dial(gateway.url);
  // As browsers do: else what waits unread for one stream would be the whole session's window.
  client.session.setLocalWindowSize(2 ** 20);
  const stuck = await client.follow("match=/public/x");
  const reading = await client.follow("match=/public/x");
  stuck.stream.pause();
  const data = "x".repeat(8000);
  // The next event goes out when the one that reads has the last, so that it is never behind.
  for (let sent = 1; gateway.stats().connections.sse === 2; sent++) {
    gateway.hub.publish({ topics: ["/public/x"], data });
    await until("the other has it", () => reading.data.length === sent);
    assert.ok(sent < 100, "the stuck one is cut within its bounds");
  }
  assert.equal(gateway.stats().connections.sse, 1);
  assert.equal(reading.stream.closed, false);
  assert.equal(gateway.stats().sessions, 1);
  assert.match(
    await metricsOf(gateway),
    /connections_closed_total\{transport="sse",reason="slow_consumer"\} 1/,
  );
});

async function metricsOf(gateway: Gateway): Promise<string> {
  await using client = await Http2Client.dial(gateway.url);
  return (await client.ask("GET", "/metrics")).body;
}

test("HTTP/2: a client that is reset ends with that reason on each of its streams", async () => {
  await using gateway = await openSecure();
  await using client = await Http2Client.dial(gateway.url);
  await client.follow("match=/public/x");
  await client.follow("match=/public/y");
  client.tcp.resetAndDestroy();
  await gone(gateway);
  assert.match(
    await metricsOf(gateway),
    /connections_closed_total\{transport="sse",reason="connection_reset"\} 2/,
  );
});

test("HTTP/2: a drain ends streams with a time to come back, then the session, and nobody is reset", async () => {
  await using gateway = await openSecure("drain: { timeout: 2s }");
  await using client = await Http2Client.dial(gateway.url);
  const events = await client.follow("match=/public/x");
  await using idle = await Http2Client.dial(gateway.url);
  await gateway.drain("test");
  await Promise.all([events.ended, client.closed, idle.closed]);
  assert.match(events.text, /^retry: \d+$/m);
  assert.equal(events.stream.rstCode, 0);
  assert.deepEqual(new Set([...client.goaways, ...idle.goaways]), new Set([0]));
  await until("no session", () => gateway.stats().sessions === 0);
});

test("HTTP/2: one cursor: what is missed on HTTP/2 is read on HTTP/1.1, on WebSocket, then on HTTP/2 again", async () => {
  await using gateway = await openSecure();
  await using client = await Http2Client.dial(gateway.url);
  const first = await client.follow("match=/public/x");
  gateway.hub.publish({ topics: ["/public/x"], data: "1" });
  await until("1", () => first.data.length === 1);
  first.stream.close(CANCEL);
  await gone(gateway);
  gateway.hub.publish({ topics: ["/public/x"], data: "2" });
  const second = await http1Events(gateway, first.lastId, 1);
  assert.deepEqual(second.data, ["2"]);
  gateway.hub.publish({ topics: ["/public/x"], data: "3" });
  const offset = await webSocketOffset(gateway, second.lastId, ["3"]);
  gateway.hub.publish({ topics: ["/public/x"], data: "4" });
  const lastId = second.lastId.replace(/\d+$/, String(offset));
  const fourth = await client.follow("match=/public/x", { "last-event-id": lastId });
  await until("4", () => fourth.data.length > 0);
  assert.deepEqual(fourth.data, ["4"]);
  assert.equal(fourth.headers["mercure-last-event-id"], lastId);
});

/** Recovers these events over WebSocket from a cursor on; answers the offset of the last. */
async function webSocketOffset(gateway: Gateway, lastId: string, expected: string[]): Promise<number> {
  const [, epoch, offset] = /^#(.*)\.(\d+)$/.exec(lastId) ?? [];
  const url = `${gateway.url.replace("https", "wss").replace("127.0.0.1", "localhost")}/connection/websocket`;
  const socket = new WebSocket(url, "centrifuge-json", { ca });
  let text = "";
  socket.on("message", (message) => {
    text += `${message}\n`;
  });
  await once(socket, "open");
  const subscribe = { channel: "/public/x", recover: true, epoch, offset: Number(offset) };
  socket.send(`{"id":1,"connect":{}}\n${JSON.stringify({ id: 2, subscribe })}`);
  await until("the recovery", () => text.includes('"recovered":'));
  const line = text.split("\n").find((each) => each.includes('"recovered":')) as string;
  const { recovered, publications } = JSON.parse(line).subscribe;
  assert.equal(recovered, true);
  assert.deepEqual(
    publications.map(({ data }: { data: number }) => String(data)),
    expected,
  );
  socket.close();
  await once(socket, "close");
  return publications.at(-1).offset;
}

/** Reads so many events over HTTP/1.1 from a cursor on. */
async function http1Events(gateway: Gateway, lastId: string, count: number) {
  const socket = connect({
    port: Number(new URL(gateway.url).port),
    host: "127.0.0.1",
    servername: "localhost",
    ca,
    ALPNProtocols: ["http/1.1"],
  }).setEncoding("utf8");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.write(
    `GET /.well-known/mercure?match=/public/x HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${lastId}\r\n\r\n`,
  );
  const data = () => Array.from(text.matchAll(/^data: (.*)$/gm), ([, found]) => found as string);
  await until("the events over HTTP/1.1", () => data().length === count && /^id: /m.test(text));
  assert.equal(socket.alpnProtocol, "http/1.1");
  socket.end();
  return {
    data: data(),
    lastId: Array.from(text.matchAll(/^id: (.*)$/gm), ([, id]) => id as string).at(-1) as string,
  };
}

test("HTTP/2: a session that floods ends with its streams, each as too_many_requests", async () => {
  await using gateway = await openSecure();
  await using client = await Http2Client.dial(gateway.url);
  const events = await client.follow("match=/public/x");
  const ping = () => !client.session.destroyed && client.session.ping(() => {});
  await until("the end", () => {
    ping();
    return events.stream.closed;
  });
  await gone(gateway);
  assert.deepEqual(new Set(client.goaways), new Set([ENHANCE_YOUR_CALM]));
  const metrics = await metricsOf(gateway);
  assert.match(metrics, /connections_closed_total\{transport="sse",reason="too_many_requests"\} 1/);
  assert.match(metrics, /errors_total\{room="listener",code="http2_flood"\} 1/);
});

test("HTTP/2: a reload puts a new certificate in force for sessions to come, and keeps those that are", async () => {
  const directory = mkdtempSync(join(tmpdir(), "streamkeeper-h2-"));
  const put = (pair: string) => {
    for (const kind of ["crt", "key"])
      copyFileSync(`${FIXTURES}${pair}.${kind}`, join(directory, `pair.${kind}`));
  };
  try {
    put("good");
    const files = `{ cert: ${directory}/pair.crt, key: ${directory}/pair.key }`;
    await using gateway = await openGateway(`tls: ${files}`);
    await using before = await Http2Client.dial(gateway.url);
    const events = await before.follow("match=/public/x");
    put("next");
    assert.ok(gateway.reload());
    await using after = await Http2Client.dial(gateway.url);
    assert.notEqual(after.serialNumber, before.serialNumber);
    gateway.hub.publish({ topics: ["/public/x"], data: "still here" });
    await until("the event", () => events.data.includes("still here"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("HTTP/2: switched off, it is not offered and HTTP/1.1 is spoken", async () => {
  await using gateway = await openSecure("", "http2: false");
  const socket = connect({
    port: Number(new URL(gateway.url).port),
    host: "127.0.0.1",
    servername: "localhost",
    ca,
    ALPNProtocols: ["h2", "http/1.1"],
  });
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  assert.equal(socket.alpnProtocol, "http/1.1");
  socket.destroy();
});

test("HTTP/2: curl speaks it", { skip: required("curl with HTTP/2", await curlHasHttp2()) }, async () => {
  await using gateway = await openSecure();
  const { stdout } = await promisify(execFile)("curl", [
    ...["--http2", "--silent", "--max-time", "5", "--cacert", `${FIXTURES}ca.crt`],
    ...["--write-out", "%{http_version} %{http_code}", "--output", "/dev/null"],
    `${gateway.url.replace("127.0.0.1", "localhost")}/healthz`,
  ]);
  assert.equal(stdout, "2 200");
});

async function curlHasHttp2(): Promise<boolean> {
  try {
    return /HTTP2/.test((await promisify(execFile)("curl", ["--version"])).stdout);
  } catch {
    return false;
  }
}

test("attack: garbage that ends HTTP/2 within the library leaves no stream behind, though nobody is told of the end", async () => {
  await using gateway = await openSecure("heartbeat: { interval: 2s, timeout: 1s }");
  const client = await Http2RawClient.dial(Number(new URL(gateway.url).port));
  const path = Buffer.from("/.well-known/mercure?match=/public/x");
  // `:path` by its name's index, without indexing (RFC 7541, section 6.2.2), instead of the one that stands for `/`.
  const fields = Buffer.concat([
    Buffer.from([0x82, 0x04, path.length]),
    path,
    Buffer.from([0x87, 0x01, 9]),
    Buffer.from("localhost"),
  ]);
  client.send(FrameType.headers, END_HEADERS | END_STREAM, 1, fields);
  await until("the stream", () => gateway.stats().connections.sse === 1);
  // Read as a frame's head it announces five megabytes.
  client.socket.write(Buffer.from("PRI * HTTP/", "latin1"));
  await until("the library says goodbye", () => client.goaway !== null);
  client.socket.destroy();
  await client.closed;
  await gone(gateway);
  await until("no session", () => gateway.stats().sessions === 0);
});
