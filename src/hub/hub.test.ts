import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { VirtualClock } from "#base/virtual-clock.ts";
import { type Publication, WireFormat } from "#protocol/event.ts";
import { compileMatcher, type TopicMatcher } from "#protocol/topic-matcher.ts";
import { type EventSink, Hub, type HubEvent, type LogReader } from "./hub.ts";
import type { HubOptions } from "./ports.ts";

const AAPL = compileMatcher("exact", "/quotes/AAPL");
const MSFT = compileMatcher("exact", "/quotes/MSFT");
const QUOTES = compileMatcher("urlpattern", "/quotes/*");
const ALL = compileMatcher("any", "*");

function hubWith(options: Partial<HubOptions> = {}) {
  const clock = new VirtualClock();
  const hub = new Hub({
    epoch: "e1",
    log: { bytesMax: 2 ** 20, ageMaxMs: 60_000 },
    stateBytesMax: 2 ** 20,
    nowMs: () => clock.nowMs(),
    ...options,
  });
  return { hub, clock };
}

function recorder(): EventSink & { readonly events: HubEvent[] } {
  const events: HubEvent[] = [];
  return { events, deliver: (event) => void events.push(event) };
}

function sequences(events: readonly HubEvent[]): number[] {
  return events.map((event) => event.sequence);
}

function readAll(reader: LogReader | null): HubEvent[] {
  assert.ok(reader);
  const events: HubEvent[] = [];
  for (let event = reader.next(); event !== null; event = reader.next()) events.push(event);
  return events;
}

function on(topic: string, data = "{}", more: Partial<Publication> = {}): Publication {
  return { topics: [topic], data, ...more };
}

test("hub: one sequence counts the events of all topics", () => {
  const { hub } = hubWith();
  assert.equal(hub.publish(on("/a")).sequence, 1);
  assert.equal(hub.publish(on("/b")).sequence, 2);
  assert.equal(hub.head, 2);
});

test("hub: an event goes to exact and pattern subscribers of its topic and to nobody else", () => {
  const { hub } = hubWith();
  const [exact, pattern, all, other] = [recorder(), recorder(), recorder(), recorder()];
  hub.subscribe(exact, AAPL);
  hub.subscribe(pattern, QUOTES);
  hub.subscribe(all, ALL);
  hub.subscribe(other, MSFT);
  hub.publish(on("/quotes/AAPL"));
  hub.publish(on("/news/1"));
  assert.deepEqual(sequences(exact.events), [1]);
  assert.deepEqual(sequences(pattern.events), [1]);
  assert.deepEqual(sequences(all.events), [1, 2]);
  assert.deepEqual(other.events, []);
});

test("hub: an update of several topics reaches a pattern that matches two of them once", () => {
  const { hub } = hubWith();
  const [pattern, alternate] = [recorder(), recorder()];
  hub.subscribe(pattern, QUOTES);
  hub.subscribe(alternate, MSFT);
  hub.publish({ topics: ["/quotes/AAPL", "/quotes/MSFT"], data: "1" });
  assert.equal(pattern.events.length, 1);
  assert.equal(alternate.events.length, 1);
});

test("hub: an event is encoded once for each wire format and topic", () => {
  const { hub } = hubWith();
  const event = hub.publish({ topics: ["/quotes/AAPL", "/quotes/MSFT"], data: '{"p":1}' });
  const sse = event.frame(WireFormat.sse, "/quotes/AAPL");
  assert.equal(event.frame(WireFormat.sse, "/quotes/MSFT"), sse);
  assert.match(sse.toString(), /^id: #e1\.1\n/m);
  const push = event.frame(WireFormat.centrifugeJson, "/quotes/AAPL");
  assert.equal(event.frame(WireFormat.centrifugeJson, "/quotes/AAPL"), push);
  const alternate = event.frame(WireFormat.centrifugeJson, "/quotes/MSFT");
  assert.notEqual(alternate, push);
  assert.match(alternate.toString(), /"channel":"\/quotes\/MSFT"/);
});

test("hub: bytes of frames count against the log, and leave it with their event", () => {
  const { hub, clock } = hubWith();
  const event = hub.publish(on("/a", "x".repeat(100)));
  const before = hub.stats().logBytes;
  const frame = event.frame(WireFormat.sse, "/a");
  assert.equal(hub.stats().logBytes, before + frame.length);
  clock.advance(60_001);
  hub.evict();
  assert.equal(hub.stats().logBytes, 0);
  event.frame(WireFormat.centrifugeJson, "/a");
  assert.equal(hub.stats().logBytes, 0, "an event that was let go is not charged any more");
});

test("hub: the log is bounded by bytes, oldest first", () => {
  const { hub } = hubWith({ log: { bytesMax: 10_000, ageMaxMs: 60_000 } });
  for (let index = 0; index < 200; index++) hub.publish(on(`/t/${index % 3}`, "x".repeat(100)));
  const stats = hub.stats();
  assert.ok(stats.logBytes <= 10_000, `${stats.logBytes}`);
  assert.ok(stats.logEvents > 10);
  assert.equal(hub.evictedThrough, 200 - stats.logEvents);
});

test("hub: the log is bounded by age", () => {
  const { hub, clock } = hubWith();
  hub.publish(on("/a"));
  clock.advance(40_000);
  hub.publish(on("/a"));
  clock.advance(30_000);
  hub.evict();
  assert.equal(hub.stats().logEvents, 1);
  assert.equal(hub.openReader([compileMatcher("exact", "/a")], 0), null);
});

test("hub: the log outgrows its first ring without losing its order", () => {
  const { hub } = hubWith({ log: { bytesMax: 2 ** 30, ageMaxMs: 60_000 } });
  for (let index = 0; index < 5000; index++) hub.publish(on(`/t/${index % 7}`));
  assert.deepEqual(
    sequences(readAll(hub.openReader([ALL], 0))),
    Array.from({ length: 5000 }, (_, index) => index + 1),
  );
});

test("hub: a resume is exact for a quiet topic although others' events were let go", () => {
  const { hub } = hubWith({ log: { bytesMax: 10_000, ageMaxMs: 60_000 } });
  hub.subscribe(recorder(), AAPL);
  const cursor = hub.publish(on("/quotes/AAPL")).sequence;
  for (let index = 0; index < 500; index++) hub.publish(on("/noise", "x".repeat(100)));
  assert.ok(hub.evictedThrough > cursor);
  assert.deepEqual(readAll(hub.openReader([AAPL], cursor)), []);
  assert.equal(hub.openReader([ALL], cursor), null);
  assert.equal(hub.openReader([AAPL], cursor - 1), null, "its own event was let go");
});

test("hub: a resume on a topic that was forgotten meanwhile is not called exact", () => {
  const { hub, clock } = hubWith();
  const cursor = hub.publish(on("/quotes/MSFT")).sequence;
  hub.publish(on("/quotes/AAPL"));
  clock.advance(60_001);
  hub.evict();
  assert.equal(hub.stats().topics, 0);
  assert.equal(hub.openReader([AAPL], cursor), null);
  hub.subscribe(recorder(), AAPL);
  assert.equal(hub.openReader([AAPL], cursor), null, "nor when it is known again");
});

test("hub: a cursor from the future is not resumed from", () => {
  const { hub } = hubWith();
  hub.publish(on("/a"));
  assert.equal(hub.openReader([ALL], 2), null);
  assert.equal(hub.openReader([ALL], -1), null);
  assert.notEqual(hub.openReader([ALL], 1), null);
});

test("hub: a reader whose next event is let go says that it lost", () => {
  for (const selectors of [[AAPL], [ALL]]) {
    const { hub, clock } = hubWith();
    for (const selector of selectors) hub.subscribe(recorder(), selector);
    for (let index = 0; index < 3; index++) hub.publish(on("/quotes/AAPL"));
    const reader = hub.openReader(selectors, 0);
    assert.equal(reader?.next()?.sequence, 1);
    clock.advance(60_001);
    hub.publish(on("/quotes/AAPL"));
    assert.equal(reader?.next(), null);
    assert.equal(reader?.lost, true);
  }
});

test("hub: a reader whose read events are let go goes on", () => {
  const { hub, clock } = hubWith();
  hub.subscribe(recorder(), AAPL);
  hub.publish(on("/quotes/AAPL"));
  hub.publish(on("/quotes/AAPL"));
  const reader = hub.openReader([AAPL], 0) as LogReader;
  readAll(reader);
  clock.advance(60_001);
  hub.evict();
  hub.publish(on("/quotes/AAPL"));
  assert.deepEqual(sequences(readAll(reader)), [3]);
  assert.equal(reader.lost, false);
});

test("hub: replay joins live delivery without a hole or a double, whatever is published and read between", () => {
  const selectors: readonly (readonly TopicMatcher[])[] = [
    [AAPL],
    [AAPL, MSFT],
    [QUOTES],
    [AAPL, QUOTES],
    [ALL],
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...selectors),
      fc.array(fc.constantFrom("AAPL", "MSFT", "read", "both"), { maxLength: 60 }),
      fc.nat(20),
      (chosen, steps, before) => {
        const { hub } = hubWith();
        const topicOf = (step: string) => `/quotes/${step}`;
        for (let index = 0; index < before; index++)
          hub.publish(on(topicOf(index % 2 === 0 ? "AAPL" : "MSFT")));
        const from = Math.floor(before / 2);
        const got: number[] = [];
        let reader: LogReader | null = null;
        const take = (event: HubEvent) => {
          if (got.at(-1) !== event.sequence) got.push(event.sequence);
        };
        const sink: EventSink = { deliver: (event) => void (reader === null && take(event)) };
        for (const selector of chosen) hub.subscribe(sink, selector);
        reader = hub.openReader(chosen, from);
        assert.ok(reader);
        for (const step of steps) {
          if (step === "read") {
            const event: HubEvent | null = reader?.next() ?? null;
            if (event !== null) take(event);
            else reader = null;
          } else if (step === "both") hub.publish({ topics: ["/quotes/AAPL", "/quotes/MSFT"], data: "1" });
          else hub.publish(on(topicOf(step)));
        }
        while (reader !== null) {
          const event: HubEvent | null = reader.next();
          if (event !== null) take(event);
          else reader = null;
        }
        const expected = readAll(hub.openReader([ALL], from))
          .filter((event) => event.topics.some((topic) => chosen.some((selector) => selector.matches(topic))))
          .map((event) => event.sequence);
        assert.deepEqual(got, expected);
      },
    ),
  );
});

test("hub: demand is told of a topic's first and last exact subscriber, once each", () => {
  const told: string[] = [];
  const { hub } = hubWith({
    demand: {
      wanted: (topic) => {
        told.push(`+${topic}`);
        return "held";
      },
      unwanted: (topic) => told.push(`-${topic}`),
    },
  });
  const first = hub.subscribe(recorder(), AAPL);
  const second = hub.subscribe(recorder(), AAPL);
  hub.subscribe(recorder(), QUOTES);
  first.close();
  second.close();
  second.close();
  assert.deepEqual(told, ["+/quotes/AAPL", "-/quotes/AAPL"]);
});

test("hub: everything is released when subscribers have left and events have aged", () => {
  const { hub, clock } = hubWith();
  const subscriptions = [AAPL, MSFT, QUOTES, ALL].map((selector) => hub.subscribe(recorder(), selector));
  for (let index = 0; index < 100; index++) hub.publish(on(`/quotes/S${index}`, "1", { id: `own-${index}` }));
  for (const subscription of subscriptions) subscription.close();
  clock.advance(60_001);
  hub.evict();
  assert.deepEqual(hub.stats(), {
    topics: 0,
    topicsWithState: 0,
    subscribers: 0,
    patterns: 0,
    logEvents: 0,
    logBytes: 0,
    stateBytes: 0,
    head: 100,
  });
  assert.equal(hub.sequenceOfId("own-3"), null);
});

test("hub: a publisher's own id is found while its event is held, the earliest of equal ones", () => {
  const { hub } = hubWith();
  hub.publish(on("/a", "1", { id: "mine" }));
  hub.publish(on("/a", "2", { id: "mine" }));
  assert.equal(hub.sequenceOfId("mine"), 1);
  assert.match(
    hub.history("/a", { limit: 1, reverse: false })[0]?.frame(WireFormat.sse, "/a").toString() ?? "",
    /^id: mine\n/m,
  );
});

test("hub: a state of mode last is the newest data, at its sequence", () => {
  const { hub } = hubWith();
  hub.publish(on("/quotes/AAPL", '{"p":1}', { state: "last", private: true }));
  hub.publish(on("/other"));
  hub.publish(on("/quotes/AAPL", "not json", { state: "last", private: true }));
  const state = hub.stateOf("/quotes/AAPL");
  assert.equal(state?.data, "not json");
  assert.equal(state?.sequence, 3);
  assert.equal(state?.private, true);
});

test("hub: a state of mode merge is the events' data merged, and outlives them in the log", () => {
  const { hub, clock } = hubWith();
  hub.publish(on("/quotes/AAPL", '{"p":1,"open":{"a":1,"b":2}}', { state: "merge" }));
  hub.publish(on("/quotes/AAPL", '{"p":2,"open":{"a":null}}', { state: "merge" }));
  clock.advance(60_001);
  hub.evict();
  assert.equal(hub.stats().logEvents, 0);
  assert.deepEqual(JSON.parse(hub.stateOf("/quotes/AAPL")?.data ?? ""), { p: 2, open: { b: 2 } });
  assert.equal(hub.stateOf("/quotes/AAPL"), hub.stateOf("/quotes/AAPL"), "encoded once until it changes");
  hub.dropState("/quotes/AAPL");
  assert.equal(hub.stateOf("/quotes/AAPL"), null);
  assert.equal(hub.stats().topics, 0);
});

test("hub: states stay within their byte bound, the longest unchanged go first", () => {
  const { hub } = hubWith({ stateBytesMax: 20_000 });
  for (let index = 0; index < 100; index++) {
    hub.publish(on(`/q/${index}`, JSON.stringify({ text: "x".repeat(200) }), { state: "merge" }));
    hub.publish(on("/q/0", '{"n":1}', { state: "merge" }));
  }
  const stats = hub.stats();
  assert.ok(stats.stateBytes <= 20_000, `${stats.stateBytes}`);
  assert.notEqual(hub.stateOf("/q/0"), null);
  assert.equal(hub.stateOf("/q/1"), null);
  assert.notEqual(hub.stateOf("/q/99"), null);
});

test("hub: a state that is merged a thousand times is charged for what it is, not for its past", () => {
  const { hub } = hubWith();
  for (let index = 0; index < 1000; index++) hub.publish(on("/q", `{"n":${index}}`, { state: "merge" }));
  assert.ok(hub.stats().stateBytes < 4096, `${hub.stats().stateBytes}`);
});

test("attack: data nested a hundred thousand deep neither ends the hub nor is merged", () => {
  const { hub } = hubWith({ stateBytesMax: 2 ** 24 });
  const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  hub.publish(on("/q", '{"n":1}', { state: "merge" }));
  hub.publish(on("/q", deep, { state: "merge" }));
  assert.ok(hub.stateOf("/q")?.data === deep);
});

test("attack: a merge that names __proto__ changes no prototype", () => {
  const { hub } = hubWith();
  hub.publish(
    on("/q", '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}', { state: "merge" }),
  );
  hub.publish(on("/q", '{"__proto__":{"polluted":2}}', { state: "merge" }));
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  assert.match(hub.stateOf("/q")?.data ?? "", /"__proto__":\{"polluted":2\}/);
});

test("hub: history reads a topic from either end and after a place", () => {
  const { hub } = hubWith();
  for (let index = 0; index < 6; index++) hub.publish(on(index % 2 === 0 ? "/a" : "/b"));
  assert.deepEqual(sequences(hub.history("/a", { limit: 10, reverse: false })), [1, 3, 5]);
  assert.deepEqual(sequences(hub.history("/a", { limit: 2, reverse: true })), [5, 3]);
  assert.deepEqual(sequences(hub.history("/a", { limit: 2, reverse: false, afterSequence: 1 })), [3, 5]);
  assert.deepEqual(sequences(hub.history("/a", { limit: 9, reverse: true, afterSequence: 5 })), [3, 1]);
  assert.deepEqual(hub.history("/a", { limit: 0, reverse: false }), []);
  assert.deepEqual(hub.history("/none", { limit: 5, reverse: false }), []);
});

test("hub: a sink that subscribes while it is handed an event is stopped", () => {
  const { hub } = hubWith();
  hub.subscribe({ deliver: () => void hub.subscribe(recorder(), MSFT) }, AAPL);
  assert.throws(() => hub.publish(on("/quotes/AAPL")), /while the hub was delivering/);
  assert.equal(hub.publish(on("/other")).sequence, 2, "and the hub goes on");
});

test("hub: leaving in any order keeps every other subscriber attached", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(19), { maxLength: 20 }), (leaving) => {
      const { hub } = hubWith();
      const sinks = Array.from({ length: 20 }, recorder);
      const subscriptions = sinks.map((sink) => hub.subscribe(sink, AAPL));
      for (const index of leaving) subscriptions[index]?.close();
      hub.publish(on("/quotes/AAPL"));
      sinks.forEach((sink, index) => {
        assert.equal(sink.events.length, leaving.includes(index) ? 0 : 1);
      });
      assert.equal(hub.stats().subscribers, 20 - leaving.length);
    }),
  );
});
