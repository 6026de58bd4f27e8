import assert from "node:assert/strict";
import { CodedError } from "#base/errors.ts";
import { Dechunker } from "#lab/load/http-head.ts";
import { COMMANDS_PER_MESSAGE_MAX, parseCommands } from "#protocol/centrifuge-command.ts";
import { formatCursor, parseCursor } from "#protocol/cursor.ts";
import { MercureError } from "#protocol/mercure.ts";
import { parsePublishForm } from "#protocol/mercure-publish.ts";
import {
  EVENT_ID_LENGTH_MAX,
  parseSubscribeRequest,
  type SubscribeRequest,
} from "#protocol/mercure-subscribe.ts";
import { parseSubscriptionsPath } from "#protocol/mercure-subscription.ts";
import { topicFault } from "#protocol/topic.ts";
import {
  compileMatcher,
  compileSelector07,
  grantMatcher,
  MatcherError,
  MatcherType,
} from "#protocol/topic-matcher.ts";
import { EventStream, type StreamEvent } from "#upstream/event-stream.ts";
import { compileJsonPointer } from "#upstream/json-pointer.ts";
import { createMapping } from "#upstream/mapping.ts";
import { retryAfterMs } from "#upstream/retry-after.ts";
import { captures, framePayloads, headAndBody } from "./captures.ts";
import type { FuzzTarget } from "./target.ts";

const EVENT_BYTES_MAX = 4096;

const bodies = (messages: readonly Buffer[]): Buffer[] =>
  messages.map((message) => headAndBody(message).body);
const queries = captures("sse", "client").map((bytes) => {
  const [, query = ""] = /\?(\S*) HTTP/.exec(bytes.toString("latin1")) ?? [];
  return Buffer.from(query);
});

const eventStream: FuzzTarget = {
  name: "event-stream",
  captures: [...bodies(captures("feed", "server")), ...bodies(captures("sse", "server"))],
  check(input, chunks) {
    const whole = eventsOf([input]);
    assert.deepEqual(eventsOf(chunks), whole, "chunks change nothing");
    for (const { data } of whole.events) assert.ok(Buffer.byteLength(data) <= EVENT_BYTES_MAX);
  },
};

const mapping: FuzzTarget = {
  name: "mapping",
  captures: ['{"symbol":"AAPL","price":1}', '{"items":[{"symbol":"A/B"},{"symbol":7}]}', "[]"].map((text) =>
    Buffer.from(text),
  ),
  check(input) {
    const data = input.toString();
    for (const items of [null, "/items", ""]) {
      const settings = {
        topic: "/q/{key}",
        items,
        key: "/symbol",
        state: "merge",
        access: "private",
      } as const;
      createMapping(settings).map({ id: null, type: "", data }, null, {
        item: ({ topic }) => assert.equal(topicFault(topic), null),
        fault: () => {},
      });
    }
    allows([CodedError], () => compileJsonPointer(data)({ a: [1] }));
    const retryMs = retryAfterMs(data, 0);
    assert.ok(retryMs === null || retryMs >= 0);
  },
};

const commands: FuzzTarget = {
  name: "centrifuge-commands",
  captures: captures("websocket", "client").flatMap(framePayloads),
  check(input) {
    const found = parseCommands(input.toString());
    assert.ok(found.length >= 1 && found.length <= COMMANDS_PER_MESSAGE_MAX + 1);
    found.forEach((command, at) => {
      if (command.kind === "malformed")
        assert.equal(at, found.length - 1, "nothing follows what is malformed");
      if ("channel" in command) assert.equal(typeof command.channel, "string");
      if ("id" in command) assert.ok(Number.isInteger(command.id) && command.id >= 0);
      if (command.kind === "publish") JSON.parse(command.data);
      if ("since" in command && command.since !== null) assert.ok(command.since.offset >= 0);
    });
  },
};

const mercure: FuzzTarget = {
  name: "mercure",
  // Behind a line end: the field `Last-Event-ID`.
  captures: [
    ...bodies(captures("publish", "client")),
    ...queries,
    ...["earliest", formatCursor({ epoch: "e", sequence: 7 }), "f\u00c3\u00bcr"].map((field) =>
      Buffer.concat([...queries.slice(0, 1), Buffer.from(`\n${field}`, "latin1")]),
    ),
  ],
  check(input) {
    const text = input.toString("latin1");
    const [query = "", ...behind] = text.split("\n");
    const field = behind.length === 0 ? undefined : behind.join("\n");
    const publication = allows([MercureError], () => parsePublishForm(text));
    for (const topic of publication?.topics ?? []) assert.equal(topicFault(topic), null);
    for (const forging of [publication?.id, publication?.type])
      assert.doesNotMatch(forging ?? "", /[\r\n\0]/, "it would forge a field of the stream");
    for (const mercure07 of [false, true]) {
      const bounds = { matchersMax: 20, mercure07 };
      const request = allows([MercureError], () => parseSubscribeRequest(query, field, bounds));
      const alone = allows([MercureError], () => parseSubscribeRequest(query, undefined, bounds));
      assert.deepEqual(keysOf(request), keysOf(alone), "the field selects nothing, and refuses nothing");
      if (request === undefined) continue;
      assert.ok(request.matchers.length >= 1 && request.matchers.length <= 20);
      const id = request.lastEventId;
      assert.ok(id === null || (id.length >= 1 && id.length <= EVENT_ID_LENGTH_MAX + 1));
      const won = field ? parseSubscribeRequest("match=/a", field, bounds) : alone;
      assert.equal(id, won?.lastEventId, "the field wins; without it, the parameter counts");
    }
    allows([CodedError, URIError], () => parseSubscriptionsPath(text));
    const cursor = parseCursor(text);
    if (cursor !== null) assert.deepEqual(parseCursor(formatCursor(cursor)), cursor);
  },
};

const matchers: FuzzTarget = {
  name: "topic-matchers",
  captures: [
    "/quotes/:symbol",
    "/quotes/*",
    "/a{/b,c}{?d*}",
    "https://example.com/books/{id}",
    "/chat/room",
  ].map((text) => Buffer.from(text)),
  check(input) {
    const pattern = input.toString();
    const compilers = [
      ...Object.values(MatcherType).map((type) => () => compileMatcher(type, pattern)),
      () => compileSelector07(pattern),
      () => grantMatcher(pattern),
    ];
    for (const compile of compilers) {
      const matcher = allows([MatcherError], compile);
      for (const topic of ["/quotes/AAPL", pattern, `/${"a/".repeat(400)}b`, "https://example.com/books/1"])
        assert.equal(typeof (matcher?.matches(topic) ?? false), "boolean");
    }
  },
};

const chunked: FuzzTarget = {
  name: "chunked-coding",
  captures: ["5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", "a\r\n0123456789\r\n0\r\n\r\n"].map((text) =>
    Buffer.from(text),
  ),
  check(input, chunks) {
    assert.deepEqual(dechunked(chunks), dechunked([input]), "chunks change nothing");
  },
};

/** Parsers of what comes in by the protocols. */
export const PROTOCOL_TARGETS: readonly FuzzTarget[] = [
  eventStream,
  mapping,
  commands,
  mercure,
  matchers,
  chunked,
];

function keysOf(request: SubscribeRequest | undefined): string[] | undefined {
  return request?.matchers.map(({ key }) => key);
}

/** What `act` answers; undefined when it throws one of `errors`. Anything else that it throws is a bug. */
export function allows<Result>(
  errors: readonly (abstract new (...args: never[]) => Error)[],
  act: () => Result,
): Result | undefined {
  try {
    return act();
  } catch (thrown) {
    if (errors.some((type) => thrown instanceof type)) return undefined;
    throw thrown;
  }
}

function eventsOf(chunks: readonly Buffer[]) {
  const events: StreamEvent[] = [];
  const retries: number[] = [];
  let isTooLarge = false;
  const stream = new EventStream("", EVENT_BYTES_MAX, {
    event: (event) => void events.push(event),
    retry: (retryMs) => void retries.push(retryMs),
    tooLarge: () => {
      isTooLarge = true;
    },
  });
  for (const chunk of chunks) stream.push(chunk);
  return { events, retries, isTooLarge, lastEventId: stream.lastEventId };
}

/** The body, fed as a socket would: what was not taken comes again, with more. Null: it is not that coding. */
function dechunked(chunks: readonly Buffer[]): { text: string; isEnded: boolean; isBroken: boolean } {
  const dechunker = new Dechunker();
  let rest = Buffer.alloc(0);
  let text = "";
  for (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk]);
    const got = dechunker.take(bytes, 0, bytes.length, (from, to) => {
      text += bytes.toString("latin1", from, to);
    });
    if (got === null) return { text: "", isEnded: false, isBroken: true };
    if (dechunker.isEnded) break;
    rest = bytes.subarray(got);
  }
  return { text, isEnded: dechunker.isEnded, isBroken: false };
}
