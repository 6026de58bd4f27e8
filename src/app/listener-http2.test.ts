import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { constants } from "node:http2";
import { test } from "node:test";
import { VirtualClock } from "#base/virtual-clock.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { Http2Client } from "../../test/helpers/http2-client.ts";
import { tlsFixture } from "../../test/helpers/http2-feed.ts";
import {
  END_HEADERS,
  END_STREAM,
  FrameType,
  GET_ROOT,
  Http2RawClient,
  POST_ROOT,
} from "../../test/helpers/http2-raw-client.ts";
import { Listener } from "./listener.ts";
import { SESSION_IDLE_MS, STREAMS_MAX } from "./listener-http2.ts";

const CALM = constants.NGHTTP2_ENHANCE_YOUR_CALM;

/** A listener that answers `/` with `hello` and holds everything else open. */
async function listening(sessionsMax = 100) {
  const clock = new VirtualClock();
  const listener = new Listener({
    host: "127.0.0.1",
    port: 0,
    tls: { cert: tlsFixture("good.crt"), key: tlsFixture("good.key") },
    http2: true,
    clock,
    sessionsMax: () => sessionsMax,
    keepAliveMs: () => 25_000,
  });
  const held: string[] = [];
  const answer: RequestListener = (request, response) => {
    if (request.url === "/" && request.method === "GET") response.end(`hello ${request.httpVersion}`);
    else {
      held.push(request.url ?? "");
      if (request.headers["x-stream"] !== undefined) response.writeHead(200).write("a beginning");
    }
  };
  listener.serve([], answer, (_request, socket) => socket.destroy());
  await listener.open();
  const { url, port } = listener.address;
  const errors = () => Object.fromEntries(listener.errorEntries());
  return {
    listener,
    clock,
    url,
    port,
    held,
    errors,
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

test("listener: HTTP/2 and HTTP/1.1 are spoken on one port, as the client's handshake wishes", async () => {
  await using on = await listening();
  await using client = await Http2Client.dial(on.url);
  assert.equal((await client.ask("GET", "/")).body, "hello 2.0");
  const { request } = await import("node:https");
  const body = await new Promise<string>((resolve, reject) => {
    const options = { port: on.port, host: "127.0.0.1", servername: "localhost", ca: tlsFixture("ca.crt") };
    request(options, (response) => {
      response.setEncoding("utf8").on("data", resolve);
    })
      .on("error", reject)
      .end();
  });
  assert.equal(body, "hello 1.1");
});

test("HTTP/2 session: without a stream it ends after its idle time, with one it stays", async () => {
  await using on = await listening();
  await using idle = await Http2Client.dial(on.url);
  await using busy = await Http2Client.dial(on.url);
  busy.session.request({ ":path": "/held" }).on("error", () => {});
  await until("the request", () => on.held.length === 1);
  on.clock.advance(SESSION_IDLE_MS);
  await idle.closed;
  assert.deepEqual(idle.goaways, [constants.NGHTTP2_NO_ERROR]);
  await until("one session", () => on.listener.sessions === 1);
  assert.equal(busy.session.closed, false);
});

test("HTTP/2 session: a client that answers PINGs stays", async () => {
  await using on = await listening();
  await using client = await Http2Client.dial(on.url);
  client.session.request({ ":path": "/held" }).on("error", () => {});
  await until("the request", () => on.held.length === 1);
  for (let times = 0; times < 4; times++) {
    on.clock.advance(25_000);
    // The answer to this one comes behind that to the gateway's.
    await new Promise<void>((resolve) => client.session.ping(() => resolve()));
  }
  assert.equal(on.listener.sessions, 1);
  assert.equal(client.session.destroyed, false);
});

test("HTTP/2 session: one whose client does not answer PINGs is ended, and its stream with it", async () => {
  await using on = await listening();
  const client = await Http2RawClient.dial(on.port);
  // A literal field without indexing (RFC 7541, section 6.2.2).
  const field = Buffer.from("\0\x08x-stream\x011", "latin1");
  client.send(FrameType.headers, END_HEADERS | END_STREAM, 1, Buffer.concat([POST_ROOT, field]));
  await until("the answer", () => client.frames.some(({ type }) => type === FrameType.data));
  on.clock.advance(24_999);
  await until("quiet", () => on.listener.sessions === 1);
  assert.equal(
    client.frames.some(({ type }) => type === FrameType.ping),
    false,
  );
  on.clock.advance(1);
  await until("it is asked", () => client.frames.some(({ type }) => type === FrameType.ping));
  assert.equal(on.listener.sessions, 1);
  on.clock.advance(25_000);
  await client.closed;
  await until("it is let go", () => on.listener.sessions === 0);
  assert.equal(on.errors()["listener:http2_silent"], 1);
});

test("HTTP/2 session: over so many of one address the next is sent away, and one that leaves makes room", async () => {
  await using on = await listening(2);
  const first = await Http2Client.dial(on.url);
  await using _second = await Http2Client.dial(on.url);
  const third = await Http2RawClient.dial(on.port);
  await third.closed;
  assert.equal(third.goaway, CALM);
  assert.equal(on.errors()["listener:http2_sessions"], 1);
  await first[Symbol.asyncDispose]();
  await until("room", () => on.listener.sessions === 1);
  await using fourth = await Http2Client.dial(on.url);
  assert.equal((await fourth.ask("GET", "/")).status, 200);
});

test("HTTP/2 session: a body that does not end in time is cut, the session is not", async () => {
  await using on = await listening();
  await using client = await Http2Client.dial(on.url);
  const stream = client.session.request({ ":method": "POST", ":path": "/slow" }, { endStream: false });
  stream.on("error", () => {});
  stream.write("a beginning");
  await until("the request", () => on.held.length === 1);
  const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
  on.clock.advance(30_000);
  await closed;
  assert.equal(on.errors()["listener:ERR_HTTP_REQUEST_TIMEOUT"], 1);
  assert.equal((await client.ask("GET", "/")).status, 200);
});

test("HTTP/2 session: CONNECT, by which WebSocket would come, is not offered and is refused", async () => {
  await using on = await listening();
  await using client = await Http2Client.dial(on.url);
  assert.notEqual(client.session.remoteSettings.enableConnectProtocol, true);
  const stream = client.session.request({ ":method": "CONNECT", ":authority": "localhost" });
  const status = await new Promise((resolve) => {
    stream.on("response", (headers) => resolve(headers[":status"]));
  });
  assert.equal(status, 405);
  stream.destroy();
});

test("attack: more streams at once than allowed are refused, those within go on", async () => {
  await using on = await listening();
  const client = await Http2RawClient.dial(on.port);
  for (let stream = 0; stream <= STREAMS_MAX; stream++) {
    client.send(FrameType.headers, END_HEADERS, 1 + 2 * stream, POST_ROOT);
  }
  const refused = () => client.frames.filter(({ type }) => type === FrameType.reset);
  await until("the refusal", () => refused().length === 1);
  assert.equal(refused()[0]?.id, 1 + 2 * STREAMS_MAX);
  assert.equal(refused()[0]?.payload.readUInt32BE(), constants.NGHTTP2_REFUSED_STREAM);
  assert.equal(on.held.length, STREAMS_MAX);
  client.socket.destroy();
  await until("nobody", () => on.listener.sessions === 0);
});

const FLOODS: Record<string, (client: Http2RawClient, index: number) => void> = {
  "rapid reset (CVE-2023-44487)": (client, index) => {
    client.send(FrameType.headers, END_HEADERS, 1 + 2 * index, POST_ROOT);
    client.send(FrameType.reset, 0, 1 + 2 * index, Buffer.from([0, 0, 0, 8]));
  },
  "the gateway made to reset streams (CVE-2025-8671)": (client, index) => {
    client.send(FrameType.headers, END_HEADERS, 1 + 2 * index, POST_ROOT);
    // A window update of nothing is a fault of that stream, which the server must reset.
    client.send(8, 0, 1 + 2 * index, Buffer.alloc(4));
  },
  "PING flood (CVE-2019-9512)": (client) => client.send(FrameType.ping, 0, 0, Buffer.alloc(8)),
  "SETTINGS flood (CVE-2019-9515)": (client) => client.send(FrameType.settings, 0, 0),
};

for (const [name, flood] of Object.entries(FLOODS)) {
  test(`attack: ${name} ends that session only`, async () => {
    await using on = await listening();
    await using other = await Http2Client.dial(on.url);
    const client = await Http2RawClient.dial(on.port);
    for (let index = 0; index < 400; index++) flood(client, index);
    await client.closed;
    assert.ok(on.held.length < 250, `so many requests were begun: ${on.held.length}`);
    assert.equal((await other.ask("GET", "/")).status, 200);
    assert.equal(on.listener.sessions, 1);
    // What the library itself finds it tells by its own code.
    const code = name.includes("CVE-2025-8671") ? "listener:ERR_HTTP2_ERROR" : "listener:http2_flood";
    assert.deepEqual(on.errors(), { [code]: 1 });
  });
}

test("attack: resets without an error code, which leave no trace, are counted as well", async () => {
  await using on = await listening();
  const client = await Http2RawClient.dial(on.port);
  let sent = 0;
  for (; sent < 1000 && client.goaway === null; sent += 20) {
    for (let index = sent; index < sent + 20; index++) {
      client.send(FrameType.headers, END_HEADERS, 1 + 2 * index, POST_ROOT);
      client.send(FrameType.reset, 0, 1 + 2 * index, Buffer.alloc(4));
    }
    await until("these are looked at", () => on.held.length >= sent + 20 || client.socket.destroyed);
  }
  await client.closed;
  assert.ok(on.held.length <= 300, `so many requests were begun: ${on.held.length}`);
});

test("attack: CONTINUATION flood (CVE-2024-27316) ends that session", async () => {
  await using on = await listening();
  const client = await Http2RawClient.dial(on.port);
  client.send(FrameType.headers, END_STREAM, 1, GET_ROOT);
  const field = Buffer.concat([Buffer.from([0x00, 1]), Buffer.from("a"), Buffer.from([1]), Buffer.from("b")]);
  for (let index = 0; index < 5000; index++) client.send(FrameType.continuation, 0, 1, field);
  await client.closed;
  assert.equal(on.listener.sessions, 0);
});

test("attack: a request whose fields are larger than allowed never reaches the gateway", async () => {
  await using on = await listening();
  await using client = await Http2Client.dial(on.url);
  const answered = client.ask("GET", "/big", { "x-large": "y".repeat(20_000) });
  const { status } = await answered;
  assert.notEqual(status, 200);
  assert.deepEqual(on.held, []);
});

test("attack: bytes that are not HTTP/2 on a socket that chose it end that socket", async () => {
  await using on = await listening();
  const client = await Http2RawClient.dial(on.port);
  client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20));
  await client.closed;
  await until("nobody", () => on.listener.sessions === 0);
});
