import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Clock } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { FeedServer, until } from "../../test/helpers/feed-server.ts";
import { SilentServer } from "../../test/helpers/silent-server.ts";
import { Dialer, type DialRequest } from "./dialer.ts";
import type { StreamEvent } from "./event-stream.ts";
import { FeedCounters } from "./feed-counters.ts";
import { Link, type LinkOwner } from "./link.ts";
import type { LinkReason } from "./link-reason.ts";
import { QuietLog } from "./quiet-log.ts";

const RETRY = { minMs: 1, maxMs: 5, resetAfterMs: 60_000 };
const HEALTH = { connectTimeoutMs: 5000, idleTimeoutMs: 45_000, rotateAfterMs: 0, eventBytesMax: 4096 };

describe("link", () => {
  test("link: events come with type and data, the request is as the standard wants it", async () => {
    await using feed = await FeedServer.open();
    await using rig = new Rig(feed.origin, { headers: { Authorization: "Bearer t", "X-Own": "1" } });
    await rig.opened();
    feed.publish("A", {}, "quote");
    feed.write("data: caf\u00e9\ndata: two\n\n");
    await until("two events", () => rig.events.length === 2);
    assert.deepEqual(rig.events[0], { id: "1", type: "quote", data: '{"symbol":"A","n":1}' });
    assert.deepEqual(rig.events[1], { id: null, type: "", data: "café\ntwo" });
    const { headers } = feed.requests[0] ?? assert.fail("no request");
    assert.equal(headers.accept, "text/event-stream");
    assert.equal(headers["cache-control"], "no-cache");
    assert.equal(headers.authorization, "Bearer t");
    assert.equal(headers["x-own"], "1");
    assert.equal(headers["last-event-id"], undefined);
  });

  test("link: a reset, an orderly end and a restart of the feed lose and double nothing that it can replay", async () => {
    await using feed = await FeedServer.open();
    await using rig = new Rig(feed.origin);
    const ids: string[] = [];
    for (const fault of ["resetAll", "endAll", "kill", "resetAll", "kill"] as const) {
      await until("the stream", () => feed.streams === 1 && rig.link.state.name === "open");
      for (let i = 0; i < 10; i++) ids.push(String(feed.publish("A")));
      await until("all so far", () => rig.events.length === ids.length);
      await feed[fault]();
      for (let i = 0; i < 5; i++) ids.push(String(feed.publish("A")));
      if (fault === "kill") await feed.start();
    }
    await until("all", () => rig.events.length === ids.length);
    assert.deepEqual(
      rig.events.map((event) => event.id),
      ids,
    );
    assert.ok(rig.counters.resets >= 2, "resets are counted");
    assert.ok(rig.counters.drops.of("ended") >= 1, "so is an orderly end");
    assert.equal(feed.streamsPeak, 1);
  });

  test("link: three hundred forced drops leave one socket, one timer and no listener more", async () => {
    await using feed = await FeedServer.open();
    const listeners = () => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
    await using rig = new Rig(feed.origin);
    await rig.opened();
    const listenersBefore = listeners();
    for (let drop = 1; drop <= 300; drop++) {
      await until("the stream", () => feed.streams === 1 && rig.link.state.name === "open");
      feed.resetAll();
      await until("the drop", () => rig.reasons.length === drop);
    }
    await until("the stream", () => feed.streams === 1 && rig.link.state.name === "open");
    assert.equal(rig.dialer.sockets, 1);
    assert.equal(feed.sockets, 1);
    assert.equal(rig.clock.timersPending, 1);
    assert.equal(listeners(), listenersBefore);
    assert.equal(rig.counters.dials, 301);
    assert.equal(rig.counters.reconnects.of("reset"), 300);
  });

  for (const [name, answer, state, reason] of [
    ["401", { status: 401 }, "rejected", "unauthorized"],
    ["404", { status: 404 }, "rejected", "client_error"],
    ["a wrong content type", { status: 200, type: "text/html" }, "rejected", "content_type"],
    ["no content type", { status: 200, type: null }, "rejected", "content_type"],
    ["compression", { status: 200, encoding: "gzip" }, "rejected", "content_encoding"],
    ["a status of success that is no stream", { status: 206 }, "rejected", "unexpected_status"],
    ["502", { status: 502 }, "waiting", "server_error"],
    ["429", { status: 429 }, "waiting", "busy"],
    ["a redirect to nowhere", { status: 302 }, "rejected", "redirect"],
    ["a redirect to another scheme", { status: 302, location: "ftp://127.0.0.1/" }, "rejected", "redirect"],
    ["a redirect without end", { status: 307, location: "/" }, "rejected", "redirect"],
    ["204", { status: 204 }, "ended", "no_content"],
  ] as const) {
    test(`link: ${name} leaves it ${state} (${reason}), with no socket`, async () => {
      await using feed = await FeedServer.open();
      feed.script = (_request, response) => {
        const {
          status,
          type = "text/event-stream",
          encoding,
          location,
        } = { type: undefined, encoding: undefined, location: undefined, ...answer };
        if (type !== null) response.setHeader("content-type", type);
        if (encoding !== undefined) response.setHeader("content-encoding", encoding);
        if (location !== undefined) response.setHeader("location", location);
        response.writeHead(status).end(status === 204 ? undefined : "data: no\n\n");
        return true;
      };
      const clock = new VirtualClock();
      await using rig = new Rig(feed.origin, { clock });
      await until("the verdict", () => rig.reasons.length === 1);
      assert.equal(rig.reasons[0], reason);
      assert.equal(rig.link.state.name, state);
      assert.deepEqual(rig.events, []);
      await until("no socket", () => rig.dialer.sockets === 0);
      assert.equal(clock.timersPending, state === "ended" ? 0 : 1);
    });
  }

  test("link: Retry-After is waited for", async () => {
    await using feed = await FeedServer.open();
    feed.script = (_request, response, index) => {
      if (index > 0) return false;
      response.writeHead(503, { "retry-after": "20" }).end();
      return true;
    };
    const clock = new VirtualClock();
    await using rig = new Rig(feed.origin, { clock });
    await until("the verdict", () => rig.reasons.length === 1);
    clock.advance(19_999);
    assert.equal(rig.link.state.name, "waiting");
    clock.advance(10);
    await rig.opened();
  });

  test("link: a feed that answered 204 is asked again when wanted anew", async () => {
    await using feed = await FeedServer.open();
    feed.script = (_request, response, index) => {
      if (index > 0) return false;
      response.writeHead(204).end();
      return true;
    };
    await using rig = new Rig(feed.origin);
    await until("the end", () => rig.link.state.name === "ended");
    rig.link.open();
    await rig.opened();
  });

  test("link: silence for longer than the idle time-out ends it, comments keep it", async () => {
    await using feed = await FeedServer.open();
    const clock = new VirtualClock();
    await using rig = new Rig(feed.origin, { clock });
    await rig.opened();
    for (let i = 0; i < 3; i++) {
      clock.advance(HEALTH.idleTimeoutMs - 1000);
      const before = rig.counters.bytes;
      feed.write(": still here\n\n");
      await until("the comment", () => rig.counters.bytes > before);
    }
    assert.deepEqual(rig.reasons, []);
    clock.advance(HEALTH.idleTimeoutMs);
    assert.deepEqual(rig.reasons, ["idle_timeout"]);
    await until("no socket", () => rig.dialer.sockets === 0);
    clock.advance(RETRY.maxMs);
    await rig.opened();
  });

  test("link: a peer that accepts and says nothing is given up after the connect time-out", async () => {
    await using silent = await SilentServer.open();
    const clock = new VirtualClock();
    await using rig = new Rig(silent.origin, { clock });
    await until("the request", () => silent.bytes > 0);
    clock.advance(HEALTH.connectTimeoutMs);
    assert.deepEqual(rig.reasons, ["timeout_headers"]);
    await until("no socket", () => rig.dialer.sockets === 0);
  });

  test("link: TLS spoken to a peer without it is a failed handshake", async () => {
    await using feed = await FeedServer.open();
    await using rig = new Rig(feed.origin.replace("http:", "https:"), { clock: new VirtualClock() });
    await until("the verdict", () => rig.reasons.length === 1);
    assert.deepEqual(rig.reasons, ["tls_handshake"]);
  });

  test("link: what is not HTTP is a protocol fault, half a response a truncation", async () => {
    for (const [text, reason] of [
      ["SSH-2.0-nothing\r\n\r\n", "protocol"],
      [
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\ndata:",
        "truncated",
      ],
      [`HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\n\r\n`, "headers_too_large"],
    ] as const) {
      await using server = await SilentServer.open(text);
      await using rig = new Rig(server.origin, { clock: new VirtualClock() });
      await until(`the verdict on ${reason}`, () => rig.reasons.length === 1);
      assert.deepEqual(rig.reasons, [reason]);
    }
  });

  test("link: a refused connection is retried within the backoff", async () => {
    await using feed = await FeedServer.open();
    const { origin } = feed;
    await feed.kill();
    await using rig = new Rig(origin);
    await until("some refusals", () => rig.reasons.length >= 3);
    assert.deepEqual([...new Set(rig.reasons)], ["refused"]);
    await feed.start();
    await rig.opened();
  });

  test("link: an event longer than allowed ends the stream, whole or growing, and it comes back", async () => {
    for (const text of [
      `data: ${"x".repeat(5000)}\n\n`,
      `data: ${"x".repeat(5000)}`,
      "data: xxxxxxxxx\n".repeat(500),
    ]) {
      await using feed = await FeedServer.open();
      await using rig = new Rig(feed.origin);
      await rig.opened();
      feed.write(text);
      await until("the verdict", () => rig.reasons.length > 0);
      assert.equal(rig.reasons[0], "event_too_large");
      await rig.opened();
      assert.deepEqual(rig.events, []);
    }
  });

  test("link: redirects are followed; configured headers never leave their origin", async () => {
    await using other = await FeedServer.open();
    await using feed = await FeedServer.open();
    feed.script = (request, response) => {
      const location = request.url === "/" ? "/moved" : `${other.origin}/away`;
      response.writeHead(301, { location }).end();
      return true;
    };
    await using rig = new Rig(feed.origin, {
      headers: { authorization: "Bearer t", "x-api-key": "k" },
      lastEventId: "7",
    });
    await rig.opened();
    assert.equal(feed.requests[1]?.headers.authorization, "Bearer t");
    const { headers } = other.requests[0] ?? assert.fail("not redirected");
    assert.equal(headers.authorization, undefined);
    assert.equal(headers["x-api-key"], undefined);
    assert.equal(headers["last-event-id"], "7");
    await until("one socket", () => rig.dialer.sockets === 1);
  });

  test("link: credentials of the URL become basic authorization", async () => {
    await using feed = await FeedServer.open();
    await using rig = new Rig(feed.origin.replace("//", "//us%40er:pa%3Ass@"));
    await rig.opened();
    assert.equal(feed.requests[0]?.headers.authorization, `Basic ${btoa("us@er:pa:ss")}`);
  });

  test("link: an event id outside ASCII goes back as UTF-8; one that no header can hold is not sent", async () => {
    await using feed = await FeedServer.open({ replay: false });
    await using rig = new Rig(feed.origin);
    for (const [id, expected] of [
      ["h\u00e4\u4e2d", "h\u00e4\u4e2d"],
      ["a\u0001b", undefined],
      ["x".repeat(2000), undefined],
    ] as const) {
      const before = rig.events.length;
      await rig.opened();
      feed.write(`id: ${id}\ndata: 1\n\n`);
      await until("the event", () => rig.events.length > before);
      const dials = feed.requests.length;
      feed.resetAll();
      await until("the next request", () => feed.requests.length > dials);
      const sent = feed.requests.at(-1)?.headers["last-event-id"] as string | undefined;
      assert.equal(sent === undefined ? undefined : Buffer.from(sent, "latin1").toString(), expected);
      await until("the stream", () => feed.streams === 1);
    }
  });

  test("link: destroyed while it connects, is open or waits, it is gone for good", async () => {
    await using silent = await SilentServer.open();
    await using feed = await FeedServer.open();
    const refusing = await FeedServer.open();
    const refusingOrigin = refusing.origin;
    await refusing.kill();
    for (const [origin, state] of [
      [silent.origin, "connecting"],
      [feed.origin, "open"],
      [refusingOrigin, "waiting"],
    ] as const) {
      const clock = new VirtualClock();
      await using rig = new Rig(origin, { clock });
      await until(state, () => rig.link.state.name === state);
      rig.link.destroy("unwanted");
      assert.equal(clock.timersPending, 0);
      await until("no socket", () => rig.dialer.sockets === 0);
      rig.link.open();
      rig.link.destroy("closed");
      clock.advance(3_600_000);
      assert.deepEqual(rig.link.state.name, "ended");
      assert.equal(rig.counters.dials, 1);
      assert.equal(rig.dialer.sockets, 0);
    }
  });

  test("link: what the request can't hold fails the attempt, not the process", async () => {
    await using feed = await FeedServer.open();
    await using rig = new Rig(feed.origin, {
      headers: { "x-bad": "line\nbreak" },
      clock: new VirtualClock(),
    });
    await until("the verdict", () => rig.reasons.length === 1);
    assert.deepEqual(rig.reasons, ["internal"]);
    assert.equal(rig.link.state.name, "waiting");
  });
});

interface RigOptions {
  readonly headers?: Record<string, string>;
  readonly lastEventId?: string;
  readonly clock?: Clock;
}

/** A link with everything around it, opened at once. */
class Rig implements LinkOwner, AsyncDisposable {
  readonly clock: Clock;
  readonly dialer: Dialer;
  readonly counters = new FeedCounters();
  readonly events: StreamEvent[] = [];
  readonly reasons: LinkReason[] = [];
  skips = 0;
  readonly link: Link;
  readonly #origin: string;
  readonly #options: RigOptions;

  constructor(origin: string, options: RigOptions = {}) {
    this.#origin = origin;
    this.#options = options;
    this.clock = options.clock ?? new SystemClock();
    this.dialer = new Dialer(this.clock);
    this.link = new Link(
      1,
      this,
      {
        clock: this.clock,
        random: seededRandom(1),
        log: silentLogger,
        quietLog: new QuietLog(silentLogger, this.clock),
        dialer: this.dialer,
        counters: this.counters,
        feed: "test",
      },
      { health: HEALTH, retry: RETRY },
    );
    this.link.lastEventId = options.lastEventId ?? "";
    this.link.open();
  }

  opened(): Promise<void>;
  opened(link: Link): void;
  opened(link?: Link): Promise<void> | undefined {
    return link === undefined
      ? until("the link to be open", () => this.link.state.name === "open")
      : undefined;
  }

  skipped(): void {
    this.skips++;
  }

  request(link: Link): DialRequest {
    return { url: `${this.#origin}/`, headers: this.#options.headers ?? {}, lastEventId: link.lastEventId };
  }

  event(_link: Link, event: StreamEvent): void {
    this.events.push(event);
  }

  over(_link: Link, reason: LinkReason): void {
    this.reasons.push(reason);
  }

  aged(): void {}

  holdBackMs(): number {
    return 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.destroy("closed");
    await this.dialer.drained();
  }
}
