import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { SystemClock } from "#base/system-clock.ts";
import {
  REQUEST_VECTORS,
  type RequestOutcome,
  type RequestVector,
  type SeenEvent,
  STREAM_VECTORS,
  type StreamVector,
} from "../../test/fixtures/event-stream-vectors.ts";
import { type Dial, Dialer, type DialFailure } from "./dialer.ts";
import { EventStream } from "./event-stream.ts";
import { LINK_REASONS, type LinkVerdict } from "./link-reason.ts";

describe("event stream vectors", () => {
  for (const vector of STREAM_VECTORS) {
    test(`event stream vectors: ${vector.wpt}: ${vector.name}`, () => {
      const { stream } = vector;
      const bytes = typeof stream === "string" ? Buffer.from(stream) : Buffer.from(stream);
      const expected = {
        events: vector.events.map((event) => ({ type: "message", lastEventId: "", ...event })),
        lastEventId: vector.lastEventId ?? "",
        retries: vector.retries ?? [],
      };
      for (const size of [bytes.length, 1, 2, 3, 7]) {
        assert.deepEqual(read(bytes, size), expected, `in chunks of ${size}`);
      }
    });
  }
});

describe("request vectors", () => {
  for (const vector of REQUEST_VECTORS) {
    test(`request vectors: ${vector.wpt}: ${vector.name}`, async () => {
      const seen: IncomingHttpHeaders[] = [];
      await using server = await serve((request, response) => {
        seen.push(request.headers);
        if (vector.redirects && request.url === "/feed") {
          response.writeHead(vector.status, { location: "/elsewhere" }).end();
          return;
        }
        const { contentType = "text/event-stream" } = vector;
        if (contentType !== null) response.setHeader("content-type", contentType);
        response.writeHead(vector.redirects ? 200 : vector.status);
        response.end(vector.status === 204 || vector.status === 205 ? undefined : "data:ok\u2026\n\n");
      });
      assert.deepEqual(await ask(`${server.origin}/feed`), {
        outcome: vector.outcome,
        events: vector.outcome === "opens" ? ["ok\u2026"] : [],
      });
      for (const headers of seen) {
        // request-accept, request-cache-control.
        assert.equal(headers.accept, "text/event-stream");
        assert.equal(headers["cache-control"], "no-cache");
        assert.equal(headers["last-event-id"], "7");
      }
      assert.equal(seen.length, vector.redirects ? 2 : 1);
    });
  }

  test("request vectors: every file of web-platform-tests that is about stream or request has a vector", () => {
    const covered = new Set([...STREAM_VECTORS, ...REQUEST_VECTORS].map(({ wpt }) => wpt));
    const formats =
      "bom bom-2 comments data-before-final-empty-line field-data field-event field-event-empty field-id field-id-2 field-id-3 field-id-null field-parsing field-retry field-retry-bogus field-retry-empty field-unknown leading-space mime-bogus mime-trailing-semicolon mime-valid-bogus newlines null-character utf-8";
    for (const name of formats.split(" ")) assert.ok(covered.has(`format-${name}`), name);
    for (const name of ["event-data", "request-redirect", "request-status-error"])
      assert.ok(covered.has(name), name);
  });
});

const OUTCOMES: Readonly<Record<LinkVerdict, RequestOutcome>> = {
  retry: "reconnects",
  reject: "refuses",
  end: "stops",
  own: "stops",
};

interface Read {
  readonly events: readonly SeenEvent[];
  readonly lastEventId: StreamVector["lastEventId"];
  readonly retries: readonly number[];
}

function read(bytes: Buffer, size: number): Read {
  const events: SeenEvent[] = [];
  const retries: number[] = [];
  const stream = new EventStream("", 1 << 20, {
    event: ({ data, type }) =>
      events.push({ data, type: type === "" ? "message" : type, lastEventId: stream.lastEventId }),
    retry: (retryMs) => retries.push(retryMs),
    tooLarge: () => assert.fail("too large"),
  });
  for (let at = 0; at < bytes.length; at += size) stream.push(bytes.subarray(at, at + size));
  return { events, lastEventId: stream.lastEventId, retries };
}

/** Asks for a stream and reads it to its end. */
async function ask(url: string): Promise<{ outcome: RequestVector["outcome"]; events: string[] }> {
  const events: string[] = [];
  const stream = new EventStream("", 1 << 20, {
    event: ({ data }) => events.push(data),
    retry: () => {},
    tooLarge: () => {},
  });
  const dialer = new Dialer(new SystemClock());
  let opened = false;
  let dial: Dial | undefined;
  const failure = await new Promise<DialFailure>((failed) => {
    dial = dialer.dial(
      { url, headers: {}, lastEventId: "7" },
      {
        opened: () => {
          opened = true;
        },
        data: (chunk) => stream.push(chunk),
        failed,
      },
    );
  });
  dial?.destroy();
  await dialer.drained();
  return { outcome: opened ? "opens" : OUTCOMES[LINK_REASONS[failure.reason].verdict], events };
}

async function serve(listener: RequestListener): Promise<AsyncDisposable & { origin: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
