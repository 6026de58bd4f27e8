import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { get, type IncomingHttpHeaders } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { get as getTls } from "node:https";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { gunzipSync, constants as zlib } from "node:zlib";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { until } from "../../../test/helpers/feed-server.ts";
import { type Answer, answersInTurn, seededAnswers, streamAnswer } from "./answer.ts";
import { NumberedEvents } from "./numbered-events.ts";
import { type FaultFeed, type FaultFeedOptions, openFaultFeed } from "./server.ts";

const TLS = {
  cert: readFileSync(new URL("../../../test/fixtures/tls/good.crt", import.meta.url), "utf8"),
  key: readFileSync(new URL("../../../test/fixtures/tls/good.key", import.meta.url), "utf8"),
};
const CA = readFileSync(new URL("../../../test/fixtures/tls/ca.crt", import.meta.url), "utf8");

describe("fault feed", () => {
  test("fault feed: a hundred thousand events of two hundred keys, split over streams, in order and once", async () => {
    await using feed = await openFaultFeed({}, new SystemClock());
    const { keys } = feed.events;
    const reads = [keys.slice(0, 50), keys.slice(50)].map((some) =>
      ask(feed, `/q?symbols=${some.join(",")}`),
    );
    await until("both streams", () => feed.streams === 2);
    assert.equal(feed.streamsOf("K000"), 1);
    for (let i = 0; i < 100; i++) feed.publish(1000);
    await until("all", () => reads.reduce((sum, read) => sum + read.count(), 0) === 100_000, 20_000);
    const seen = reads.flatMap((read) => read.data());
    const next = new Map<string, number>();
    for (const { symbol, seq } of seen) {
      assert.equal(seq, (next.get(symbol) ?? 0) + 1, symbol);
      next.set(symbol, seq);
    }
    assert.equal(next.size, 200);
    assert.deepEqual([...new Set(next.values())], [500]);
  });

  test("fault feed: Last-Event-ID goes on after it, as far as the history reaches", async () => {
    for (const [options, lastEventId, first] of [
      [{}, "7", 8],
      [{}, "0", 1],
      [{}, "", 11],
      [{}, "nonsense", 11],
      [{ historyEvents: 2 }, "3", 9],
      [{ historyEvents: 0 }, "3", 11],
      [{}, "99", 11],
    ] as const) {
      await using feed = await openFaultFeed({ keys: 3, ...options }, new SystemClock());
      feed.publish(10);
      const read = ask(feed, "/", { "last-event-id": lastEventId });
      await until("the stream", () => feed.streams === 1);
      feed.publish();
      await until("the events", () => read.data().at(-1)?.n === 11);
      assert.equal(read.data()[0]?.n, first, `${JSON.stringify(options)} after ${lastEventId}`);
    }
  });

  test("fault feed: events are played at a rate, comments come between them", async () => {
    const clock = new VirtualClock();
    await using feed = await openFaultFeed({ heartbeatMs: 1000 }, clock);
    const read = ask(feed, "/");
    await until("the stream", () => feed.streams === 1);
    let done = false;
    const played = feed.play(5000, 10_000).then(() => {
      done = true;
    });
    clock.advance(250);
    assert.equal(feed.head, 2500);
    clock.advance(500);
    await played;
    assert.deepEqual([feed.head, done, clock.timersPending], [5000, true, 1]);
    await until("the events", () => read.count() === 5000);
    clock.advance(250);
    await until("the comment", () => read.text.endsWith("\n\n:\n\n"));
    const interrupted = feed.play(1_000_000, 1);
    await feed.close();
    await interrupted;
    assert.equal(clock.timersPending, 0);
  });

  test("fault feed: a client that does not read holds its stream back", async () => {
    await using feed = await openFaultFeed({ keys: 1, dataBytes: 1000 }, new SystemClock());
    const socket = connect(feed.port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    socket.pause();
    await until("the stream", () => feed.streams === 1);
    const before = process.memoryUsage().rss;
    feed.publish(1_000_000);
    assert.ok(process.memoryUsage().rss - before < 200e6);
    socket.destroy();
    await until("no stream", () => feed.streams === 0);
  });

  for (const [name, answer, expected] of [
    ["a status", { kind: "status", status: 503 }, { status: 503, ended: "end" }],
    ["204", { kind: "status", status: 204 }, { status: 204, ended: "end" }],
    [
      "Retry-After in seconds",
      { kind: "status", status: 429, retryAfter: 3 },
      { status: 429, header: ["retry-after", "3"] },
    ],
    [
      "Retry-After as a date",
      { kind: "status", status: 503, retryAfter: new Date(Date.UTC(2026, 0, 2)) },
      { status: 503, header: ["retry-after", "Fri, 02 Jan 2026 00:00:00 GMT"] },
    ],
    [
      "a redirect",
      { kind: "redirect", status: 301, to: "/there" },
      { status: 301, header: ["location", "/there"] },
    ],
    ["a redirect loop", { kind: "redirect", to: "loop" }, { status: 307, header: ["location", "/hop/1"] }],
    [
      "another content type",
      { kind: "stream", contentType: "text/html" },
      { status: 200, header: ["content-type", "text/html"] },
    ],
    [
      "no content type",
      { kind: "stream", contentType: null },
      { status: 200, header: ["content-type", undefined] },
    ],
    ["an orderly end", { kind: "stream", events: 2, turn: "end" }, { status: 200, events: 2, ended: "end" }],
    ["a cut", { kind: "stream", events: 2, turn: "cut" }, { status: 200, events: 2, ended: "ECONNRESET" }],
    ["a silence", { kind: "stream", events: 2, turn: "silence" }, { status: 200, events: 2 }],
    [
      "a garbage chunk",
      { kind: "stream", events: 1, turn: "garbage_chunk" },
      { status: 200, events: 1, ended: "HPE_INVALID_CHUNK_SIZE" },
    ],
    [
      "an endless line",
      { kind: "stream", turn: "endless_line" },
      { status: 200, longerThan: 1e6, matching: /^:\n\ndata: x+$/ },
    ],
    [
      "an endless event",
      { kind: "stream", turn: "endless_event" },
      { status: 200, longerThan: 1e6, matching: /^:\n\n(data: x+\n)+/ },
    ],
    [
      "endless comments",
      { kind: "stream", turn: "endless_comments" },
      { status: 200, longerThan: 1e6, matching: /^:\n\n(: x+\n)+/ },
    ],
    ["no head", { kind: "no_head" }, { ended: "HPE_INVALID_CONSTANT" }],
    ["an endless head", { kind: "endless_head" }, { ended: "HPE_HEADER_OVERFLOW" }],
  ] as const satisfies [string, Answer, Expected][]) {
    test(`fault feed: ${name}, over HTTP/1.1 and over TLS`, async () => {
      for (const tls of [undefined, TLS]) {
        const options: FaultFeedOptions = { keys: 1, answers: answersInTurn(answer) };
        await using feed = await openFaultFeed(
          tls === undefined ? options : { ...options, tls },
          new SystemClock(),
        );
        feed.publish(1);
        const read = ask(feed, "/", { "last-event-id": "0" });
        await until("the request", () => feed.requests.length === 1);
        feed.publish(9);
        const { status, header, events, ended, longerThan, matching }: Expected = expected;
        if (status !== undefined) await until("the status", () => read.status === status);
        if (header !== undefined) assert.equal(read.headers[header[0]], header[1]);
        if (events !== undefined) await until("the events", () => read.count() === events);
        if (ended !== undefined) await until(`the end: ${ended}`, () => read.ended === ended);
        if (longerThan !== undefined) await until("all that", () => read.text.length > longerThan);
        if (matching !== undefined) assert.match(read.text.slice(0, 200_000), matching);
      }
    });
  }

  test("fault feed: gzip that nobody asked for", async () => {
    await using feed = await openFaultFeed(
      { answers: () => ({ kind: "stream", gzip: true }) },
      new SystemClock(),
    );
    const read = ask(feed, "/");
    await until("the stream", () => feed.streams === 1);
    feed.publish(3);
    await until("all", () => {
      const text =
        read.bytes.length < 30 ? "" : gunzipSync(read.bytes, { finishFlush: zlib.Z_SYNC_FLUSH }).toString();
      return text.split("data:").length === 4;
    });
    assert.equal(read.headers["content-encoding"], "gzip");
  });

  test("fault feed: a slow head comes byte by byte, and stops with its connection", async () => {
    const clock = new VirtualClock();
    await using feed = await openFaultFeed({ answers: () => ({ kind: "slow_head", everyMs: 100 }) }, clock);
    const socket = connect(feed.port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await until("the first byte", () => text === "H");
    clock.advance(400);
    await until("more", () => text === "HTTP/");
    assert.equal(clock.timersPending, 1);
    socket.destroy();
    await until("no timer", () => clock.timersPending === 0);
  });

  test("fault feed: HTTP/2 streams, GOAWAY and RST_STREAM", async () => {
    await using feed = await openFaultFeed(
      {
        tls: TLS,
        keys: 1,
        answers: answersInTurn(
          streamAnswer,
          { kind: "stream", events: 1, turn: "rst_stream" },
          { kind: "stream", events: 1, turn: "goaway" },
        ),
      },
      new SystemClock(),
    );
    const session = connectHttp2(feed.origin, { ca: CA });
    session.on("error", () => {});
    let goaway: number | null = null;
    session.on("goaway", (code) => {
      goaway = code;
    });
    const open = () => {
      const stream = session.request({ ":path": "/", "last-event-id": "0" });
      const seen = { text: "", code: null as number | null };
      stream.on("error", () => {});
      stream.on("data", (chunk) => {
        seen.text += chunk.toString();
      });
      stream.on("close", () => {
        seen.code = stream.rstCode;
      });
      return seen;
    };
    feed.publish();
    const [first, second] = [open(), open()];
    await until("both", () => first.text.includes("data:") && second.code !== null);
    assert.equal(second.code, constants.NGHTTP2_INTERNAL_ERROR);
    assert.equal(feed.connections, 1);
    assert.equal(feed.requests[0]?.httpVersion, "2.0");
    assert.equal(goaway, null);
    open();
    await until("GOAWAY", () => goaway !== null);
    assert.equal(goaway, constants.NGHTTP2_NO_ERROR);
    session.destroy();
    await until("no stream", () => feed.streams === 0);
  });

  test("fault feed: the same seed answers the same, about the share that was asked for", () => {
    const draw = (seed: number) => {
      const answers = seededAnswers(seededRandom(seed), 0.25, [
        { kind: "status", status: 503 },
        { kind: "silence" },
      ]);
      return Array.from(
        { length: 1000 },
        (_, index) => answers({ index } as Parameters<typeof answers>[0]).kind,
      );
    };
    assert.deepEqual(draw(1), draw(1));
    const kinds = draw(2);
    assert.ok(Math.abs(kinds.filter((kind) => kind !== "stream").length - 250) < 50);
    assert.deepEqual([...new Set(kinds)].toSorted(), ["silence", "status", "stream"]);
  });

  test("fault feed: events are numbered by key and in all, filled up, with or without ids", () => {
    const events = new NumberedEvents({ keys: 3, dataBytes: 200 });
    assert.deepEqual(events.keys, ["K000", "K001", "K002"]);
    assert.match(events.textOf(5), /^id: 5\ndata: \{"symbol":"K001","n":5,"seq":2,.*\}\n\n$/);
    const { length } = events.textOf(5);
    assert.ok(length > 190 && length < 230, String(length));
    assert.match(new NumberedEvents({ ids: false }).textOf(1), /^data: /);
  });
});

interface Expected {
  readonly status?: number;
  readonly header?: readonly [string, string | undefined];
  readonly events?: number;
  readonly ended?: string;
  readonly longerThan?: number;
  readonly matching?: RegExp;
}

interface Read {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  readonly text: string;
  /** "end", or the error's code; null: not yet. */
  ended: string | null;
  count(): number;
  data(): { symbol: string; n: number; seq: number }[];
}

/** Asks by Node's own client and reads what comes. */
function ask(feed: FaultFeed, path: string, headers: Record<string, string> = {}): Read {
  const chunks: Buffer[] = [];
  let joined = Buffer.alloc(0);
  const read: Read = {
    status: 0,
    headers: {},
    get bytes() {
      if (chunks.length > 0) joined = Buffer.concat([joined, ...chunks.splice(0)]);
      return joined;
    },
    get text() {
      return this.bytes.toString();
    },
    ended: null,
    count: () => read.text.split("\ndata: {").length - 1,
    data: () => [...read.text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data as string)),
  };
  const request = (feed.origin.startsWith("https") ? getTls : get)(
    `${feed.origin}${path}`,
    { headers, ca: CA, agent: false },
    (response) => {
      read.status = response.statusCode ?? 0;
      read.headers = response.headers;
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        read.ended ??= "end";
      });
      response.on("error", (error: NodeJS.ErrnoException) => {
        read.ended ??= error.code ?? error.message;
      });
    },
  );
  request.on("error", (error: NodeJS.ErrnoException) => {
    read.ended ??= error.code ?? error.message;
  });
  return read;
}
