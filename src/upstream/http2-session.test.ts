import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { DialRig } from "../../test/helpers/dial-rig.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { Http2Feed, tlsFixture } from "../../test/helpers/http2-feed.ts";
import { FrameServer } from "../../test/helpers/http2-frames.ts";

const LAST_ID_MAX = 2 ** 31 - 1;

describe("HTTP/2", () => {
  test("HTTP/2: many links of one origin share one socket, those that dial while it opens included", async () => {
    await using feed = await Http2Feed.open();
    await using rig = new DialRig();
    for (let i = 0; i < 20; i++) rig.dial(`${feed.origin}/${i}`);
    await until("all open", () => rig.dials.every((dial) => dial.opened === 1));
    const late = rig.dial(`${feed.origin}/late`, "häß", { Authorization: "Bearer t" });
    await until("one more", () => late.opened === 1);
    feed.publish("data: caf\u00e9\n\n");
    await until("the data", () => rig.dials.every((dial) => dial.text === ":\n\ndata: café\n\n"));
    assert.deepEqual([feed.accepted, rig.dialer.sockets, rig.dialer.sessions], [1, 1, 1]);
    const headers = feed.requests.at(-1) ?? assert.fail("no request");
    assert.equal(headers[":path"], "/late");
    assert.equal(headers[":authority"], new URL(feed.origin).host);
    assert.equal(headers.accept, "text/event-stream");
    assert.equal(headers["cache-control"], "no-cache");
    assert.equal(headers.authorization, "Bearer t");
    assert.equal(Buffer.from(String(headers["last-event-id"]), "latin1").toString(), "häß");
  });

  test("HTTP/2: an origin that speaks HTTP/1.1 only gets a socket for each link", async () => {
    const pair = { key: tlsFixture("good.key"), cert: tlsFixture("good.crt") };
    await using server = createServer(pair, (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(":\n\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using rig = new DialRig();
    for (let i = 0; i < 5; i++) rig.dial(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await until("all open", () => rig.dials.every((dial) => dial.opened === 1));
    assert.deepEqual([rig.dialer.sockets, rig.dialer.sessions], [5, 0]);
  });

  test("HTTP/2: the peer's limit is kept, further links get sessions of their own", async () => {
    for (const [limit, sockets] of [
      [1, 5],
      [2, 3],
    ] as const) {
      await using feed = await Http2Feed.open({ settings: { maxConcurrentStreams: limit } });
      await using rig = new DialRig();
      for (let i = 0; i < 5; i++) rig.dial(feed.origin);
      await until("all open", () => rig.dials.every((dial) => dial.opened === 1));
      assert.deepEqual([rig.dialer.sockets, feed.accepted], [sockets, sockets]);
      rig.dials[0]?.dial.destroy();
      await until("the cut", () => feed.streams.size === 4);
      const next = rig.dial(feed.origin);
      await until("one more", () => next.opened === 1);
      assert.equal(feed.accepted, sockets, "the place that was left is taken");
    }
  });

  test("HTTP/2: a feed that allows no stream refuses its links, without dialling on and on", async () => {
    await using feed = await Http2Feed.open({ settings: { maxConcurrentStreams: 0 } });
    await using rig = new DialRig();
    for (let i = 0; i < 3; i++) rig.dial(feed.origin);
    await until("all refused", () => rig.dials.every((dial) => dial.reason === "stream_refused"));
    await until("no socket", () => rig.dialer.sockets === 0);
    assert.equal(feed.accepted, 1);
  });

  test("HTTP/2: one link's end cuts its stream only; when the last has left the session is kept a while", async () => {
    await using server = await FrameServer.open();
    await using rig = new DialRig();
    const [one, two] = [rig.dial(server.origin), rig.dial(server.origin)];
    await until("both open", () => one.opened + two.opened === 2);
    one.dial.destroy();
    await until("the cut", () => server.cut.length === 1);
    const CANCEL = 8;
    assert.deepEqual(server.cut, [CANCEL]);
    assert.equal(two.failure, null);
    two.dial.destroy();
    rig.clock.advance(4999);
    const three = rig.dial(server.origin);
    await until("the third", () => three.opened === 1);
    assert.equal(server.accepted, 1);
    three.dial.destroy();
    rig.clock.advance(5000);
    assert.equal(rig.dialer.sessions, 0);
    await until("no socket", () => rig.dialer.sockets === 0 && server.sockets.size === 0);
    assert.equal(rig.clock.timersPending, 0);
  });

  test("HTTP/2: a stream that the feed ends is over in an orderly way, the others go on", async () => {
    await using feed = await Http2Feed.open();
    await using rig = new DialRig();
    const [one, two] = [rig.dial(feed.origin), rig.dial(feed.origin)];
    await until("both open", () => one.opened + two.opened === 2);
    const [first] = feed.streams;
    first?.end("data: last\n\n");
    await until("the end", () => one.reason === "ended" || two.reason === "ended");
    const [ended, other] = one.failure === null ? [two, one] : [one, two];
    assert.match(ended.text, /data: last\n\n$/);
    feed.publish("data: on\n\n");
    await until("the other", () => other.text.endsWith("data: on\n\n"));
    assert.equal(other.failure, null);
  });

  for (const [name, code, reason] of [
    ["PROTOCOL_ERROR", 1, "protocol"],
    ["INTERNAL_ERROR", 2, "stream_reset"],
    ["REFUSED_STREAM", 7, "stream_refused"],
    ["CANCEL", 8, "stream_reset"],
    ["ENHANCE_YOUR_CALM", 11, "busy"],
  ] as const) {
    test(`HTTP/2: RST_STREAM with ${name}, before the headers and in the stream, is ${reason}`, async () => {
      await using server = await FrameServer.open((socket, id) => {
        if (id > 3) server.reset(socket, id, code);
        else server.respond(socket, id);
      });
      await using rig = new DialRig();
      const [one, other] = [rig.dial(server.origin), rig.dial(server.origin)];
      await until("both open", () => one.opened + other.opened === 2);
      const { socket, id } = server.asked[0] ?? assert.fail("not asked");
      server.data(socket, id, "data: ha");
      server.reset(socket, id, code);
      await until("the verdict", () => one.failure !== null);
      const refused = rig.dial(server.origin);
      await until("the second verdict", () => refused.failure !== null);
      assert.deepEqual([one.reason, refused.reason], [reason, reason]);
      assert.match(refused.failure?.message ?? "", new RegExp(name));
      assert.equal(other.failure, null);
      assert.equal(server.accepted, 1);
    });
  }

  test("HTTP/2: GOAWAY: streams above the last one go to a new session at once, the others go on", async () => {
    await using server = await FrameServer.open((socket, id) => {
      if (server.accepted > 1 || id === 1) server.respond(socket, id);
      else if (id === 5) server.goaway(socket, 1, 0);
    });
    await using rig = new DialRig();
    const [stays, moves, movesToo] = [
      rig.dial(server.origin),
      rig.dial(server.origin),
      rig.dial(server.origin),
    ];
    await until("all open", () => rig.dials.every((dial) => dial.opened === 1));
    assert.ok(rig.dials.every((dial) => dial.failure === null));
    assert.deepEqual([server.accepted, rig.dialer.sessions], [2, 2]);
    const { socket } = server.asked[0] ?? assert.fail("not asked");
    server.data(socket, 1, "data: still\n\n");
    await until("the data", () => stays.text === "data: still\n\n");
    stays.dial.destroy();
    await until("the old session's end", () => rig.dialer.sockets === 1);
    assert.equal(moves.failure ?? movesToo.failure, null);
  });

  test("HTTP/2: GOAWAY in two steps, as servers drain: no new stream, and none is lost", async () => {
    await using server = await FrameServer.open();
    await using rig = new DialRig();
    const one = rig.dial(server.origin);
    await until("it is open", () => one.opened === 1);
    const { socket } = server.asked[0] ?? assert.fail("not asked");
    server.goaway(socket, LAST_ID_MAX, 0);
    server.data(socket, 1, ":\n\n");
    await until("the comment", () => one.text !== "");
    const two = rig.dial(server.origin);
    await until("a second session", () => two.opened === 1);
    assert.equal(server.accepted, 2);
    server.goaway(socket, 1, 0);
    server.data(socket, 1, "data: 1\n\n");
    await until("the data", () => one.text === ":\n\ndata: 1\n\n");
    assert.deepEqual([one.failure, two.failure], [null, null]);
  });

  test("HTTP/2: a peer that goes away again and again is not dialled without end", async () => {
    await using server = await FrameServer.open((socket) => server.goaway(socket, 0, 0));
    await using rig = new DialRig();
    const dial = rig.dial(server.origin);
    await until("the verdict", () => dial.failure !== null);
    assert.equal(dial.reason, "stream_refused");
    assert.equal(server.accepted, 3);
  });

  test("HTTP/2: GOAWAY with an error ends every stream of the session", async () => {
    await using server = await FrameServer.open();
    await using rig = new DialRig();
    for (let i = 0; i < 3; i++) rig.dial(server.origin);
    await until("all open", () => rig.dials.every((dial) => dial.opened === 1));
    const ENHANCE_YOUR_CALM = 11;
    server.goaway(server.asked[0]?.socket ?? assert.fail("not asked"), 5, ENHANCE_YOUR_CALM);
    await until("all told", () => rig.dials.every((dial) => dial.reason === "busy"));
    await until("no socket", () => rig.dialer.sockets === 0);
  });

  test("HTTP/2: HTTP_1_1_REQUIRED is answered by the same request over HTTP/1.1", async () => {
    await using feed = await Http2Feed.open({ allowHTTP1: true });
    feed.script = (stream) => {
      stream.close(13);
      return true;
    };
    await using rig = new DialRig();
    const dial = rig.dial(feed.origin);
    await until("it is open", () => dial.opened === 1);
    assert.deepEqual([feed.http1, dial.failure], [1, null]);
  });

  test("HTTP/2: a silent session is asked by PING; one that answers stays", async () => {
    await using server = await FrameServer.open();
    await using rig = new DialRig({ idleTimeoutMs: 45_000 });
    const dial = rig.dial(server.origin);
    await until("it is open", () => dial.opened === 1);
    for (let pings = 1; pings <= 3; pings++) {
      rig.clock.advance(15_000);
      await until("the PING", () => server.pings === pings);
      const { socket, id } = server.asked[0] ?? assert.fail("not asked");
      // What comes behind the answer: when it is here, so is that.
      server.data(socket, id, ":\n\n");
      await until("its answer", () => dial.text.length === 3 * pings);
    }
    assert.equal(dial.failure, null);
  });

  test("HTTP/2: a session that answers no PING is replaced, all its links with it", async () => {
    await using server = await FrameServer.open();
    await using rig = new DialRig({ idleTimeoutMs: 45_000 });
    const [one, two] = [rig.dial(server.origin), rig.dial(server.origin)];
    await until("both open", () => one.opened + two.opened === 2);
    server.answersPings = false;
    rig.clock.advance(15_000);
    await until("the PING", () => server.pings === 1);
    rig.clock.advance(9_999);
    assert.equal(one.failure, null);
    rig.clock.advance(1);
    assert.deepEqual([one.reason, two.reason], ["ping_timeout", "ping_timeout"]);
    await until("no socket", () => rig.dialer.sockets === 0);
    server.answersPings = true;
    const again = rig.dial(server.origin);
    await until("a new session", () => again.opened === 1);
    assert.equal(server.accepted, 2);
  });

  test("HTTP/2: a session's reset and its plain close are told to each link", async () => {
    for (const [cut, reason] of [
      ["resetAndDestroy", "reset"],
      ["destroy", "truncated"],
    ] as const) {
      await using feed = await Http2Feed.open();
      await using rig = new DialRig();
      for (let i = 0; i < 4; i++) rig.dial(feed.origin);
      await until("all open", () => rig.dials.every((dial) => dial.opened === 1));
      for (const socket of feed.sockets) socket[cut]();
      await until(`${reason} for all`, () => rig.dials.every((dial) => dial.failure !== null));
      assert.deepEqual([...new Set(rig.dials.map((dial) => dial.reason))], [reason]);
      await until("no socket", () => rig.dialer.sockets === 0);
      assert.equal(rig.clock.timersPending, 0);
    }
  });

  test("HTTP/2: when the one that began a connection leaves, the others get another", async () => {
    await using feed = await Http2Feed.open();
    await using rig = new DialRig();
    const [first, second] = [rig.dial(feed.origin), rig.dial(feed.origin)];
    first.dial.destroy();
    await until("the second", () => second.opened === 1);
    assert.equal(first.opened, 0);
    await until("one socket", () => rig.dialer.sockets === 1);
  });

  test("HTTP/2: statuses, redirects, content types and headers that are too large are judged as ever", async () => {
    await using other = await Http2Feed.open();
    await using feed = await Http2Feed.open();
    feed.script = (stream, headers) => {
      const path = headers[":path"];
      if (path === "/401") stream.respond({ ":status": 401 }, { endStream: true });
      else if (path === "/type") stream.respond({ ":status": 200, "content-type": "text/html" });
      else if (path === "/large") stream.respond({ ":status": 200, "x-large": "x".repeat(17_000) });
      else if (path === "/busy") stream.respond({ ":status": 503, "retry-after": "7" }, { endStream: true });
      else stream.respond({ ":status": 302, location: `${other.origin}/away` }, { endStream: true });
      return true;
    };
    await using rig = new DialRig();
    const moved = rig.dial(`${feed.origin}/moved`, "7", { authorization: "Bearer t" });
    for (const path of ["401", "type", "large", "busy"]) rig.dial(`${feed.origin}/${path}`);
    await until("the verdicts", () => rig.dials.every((dial) => dial.failure !== null || dial.opened === 1));
    assert.deepEqual(
      rig.dials.map((dial) => dial.reason),
      [null, "unauthorized", "content_type", "headers_too_large", "server_error"],
    );
    assert.equal(rig.dials[4]?.failure?.retryAfterMs, 7000);
    assert.equal(moved.opened, 1);
    assert.equal(other.requests[0]?.authorization, undefined);
    assert.equal(other.requests[0]?.["last-event-id"], "7");
    assert.equal(feed.accepted, 1);
  });

  test("HTTP/2: what is no HTTP/2 is a protocol fault, what a request can't hold an internal one", async () => {
    await using server = await FrameServer.open(
      (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"),
    );
    await using rig = new DialRig();
    const junk = rig.dial(server.origin);
    await until("the verdict", () => junk.failure !== null);
    assert.equal(junk.reason, "protocol");
    const bad = rig.dial(server.origin, "", { "x-bad": "line\nbreak" });
    await until("the second verdict", () => bad.failure !== null);
    assert.equal(bad.reason, "internal");
  });

  test("HTTP/2: a thousand streams, opened and cut, leave one socket and no listener", async () => {
    await using feed = await Http2Feed.open();
    await using rig = new DialRig();
    const first = rig.dial(feed.origin);
    await until("the first", () => first.opened === 1);
    const listeners = () => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
    const before = listeners();
    for (let round = 0; round < 25; round++) {
      const dials = Array.from({ length: 40 }, () => rig.dial(feed.origin));
      await until("the round", () => dials.every((dial) => dial.opened === 1));
      for (const { dial } of dials) dial.destroy();
    }
    await until("the first alone", () => feed.streams.size === 1);
    assert.deepEqual([feed.accepted, rig.dialer.sockets, first.failure], [1, 1, null]);
    assert.equal(listeners(), before);
    assert.equal(rig.clock.timersPending, 1);
  });
});
