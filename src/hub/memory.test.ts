import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { VirtualClock } from "#base/virtual-clock.ts";
import { compileMatcher, type TopicMatcher } from "#protocol/topic-matcher.ts";
import { Hub, type HubMemory, type RememberedEvent } from "./hub.ts";

const TOPICS = ["/a/1", "/a/2", "/b/1", "/b/2"] as const;
const SELECTORS: readonly TopicMatcher[][] = [
  ...TOPICS.map((topic) => [compileMatcher("exact", topic)]),
  [compileMatcher("exact", "/never/seen")],
  [compileMatcher("exact", "/a/1"), compileMatcher("exact", "/b/1")],
  [compileMatcher("urlpattern", "/a/*")],
  [compileMatcher("any", "*")],
];

function hubWith(clock: VirtualClock, epoch = "e1"): Hub {
  return new Hub({
    epoch,
    log: { bytesMax: 4000, ageMaxMs: 60_000 },
    stateBytesMax: 2000,
    nowMs: () => clock.nowMs(),
  });
}

function heldBy(hub: Hub): RememberedEvent[] {
  const log = hub.follow(() => {});
  const events: RememberedEvent[] = [];
  for (let sequence = log.evictedThrough + 1; sequence <= log.head; sequence++) {
    const event = log.eventAt(sequence);
    if (event !== null) events.push({ sequence, timeMs: event.timeMs, publication: event });
  }
  return events;
}

/** A hub of the next life, by way of text, as on a disk. */
function reborn(hub: Hub, clock: VirtualClock): Hub {
  const next = hubWith(clock);
  const copy = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value;
  const events = heldBy(hub).map(({ sequence, timeMs, publication }) => {
    const { topics, data, type, id, retryMs, private: isPrivate } = publication;
    const fields = { topics, data, type: type ?? "", id: id ?? null, retryMs: retryMs ?? null };
    return copy({ sequence, timeMs, publication: { ...fields, private: isPrivate ?? false } });
  });
  next.restore(copy(hub.memory()), events, copy([...hub.states()]));
  return next;
}

/** What the hub vouches for after a cursor; null: nothing. */
function readable(hub: Hub, selectors: readonly TopicMatcher[], after: number): string[] | null {
  const reader = hub.openReader(selectors, after);
  if (reader === null) return null;
  const read: string[] = [];
  for (let event = reader.next(); event !== null; event = reader.next())
    read.push(`${event.sequence} ${event.topics.join()} ${event.sseId} ${event.type} ${event.data}`);
  return read;
}

/** The order of topics means nothing. */
function sorted(memory: HubMemory): HubMemory {
  return { ...memory, topics: memory.topics.toSorted(([a], [b]) => (a < b ? -1 : 1)) };
}

const topic = fc.constantFrom(...TOPICS);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("publish" as const), topic, size: fc.nat(300) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("merge" as const), topic, size: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("gap" as const), topic, size: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), topic, size: fc.nat(30_000) }) },
);

test("hub memory: a restored hub vouches for exactly the resumes that the old one did, with the same events and states", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new VirtualClock();
      let hub = hubWith(clock);
      for (const [index, { do: what, topic, size }] of steps.entries()) {
        const data = JSON.stringify({ [`f${size % 3}`]: "x".repeat(size) });
        if (what === "publish")
          hub.publish({ topics: [topic, "/a/2"], data, type: "t", ...(size % 2 ? { id: `i${index}` } : {}) });
        else if (what === "merge") hub.publish({ topics: [topic], data, state: "merge", private: true });
        else if (what === "gap") hub.markGap([topic], true);
        else clock.advance(size);
        hub.evict();
      }
      const next = reborn(hub, clock);
      assert.equal(next.head, hub.head);
      for (const selectors of SELECTORS) {
        for (let after = 0; after <= hub.head; after++)
          assert.deepEqual(readable(next, selectors, after), readable(hub, selectors, after));
        assert.equal(next.openReader(selectors, hub.head + 1), null);
      }
      for (const name of TOPICS) {
        const [was, is] = [hub.stateOf(name), next.stateOf(name)];
        assert.deepEqual([is?.sequence, is?.data, is?.private], [was?.sequence, was?.data, was?.private]);
      }
      assert.deepEqual(sorted(next.memory()), sorted(hub.memory()));
      // What comes next is numbered on.
      hub = reborn(next, clock);
      assert.equal(hub.publish({ topics: ["/a/1"], data: "1" }).sequence, next.head + 1);
    }),
    { numRuns: 300 },
  );
});

test("hub memory: publishers' ids are known again, the earliest of equal ones", () => {
  const clock = new VirtualClock();
  const hub = hubWith(clock);
  for (const id of ["x", "x", "y"]) hub.publish({ topics: ["/a/1"], data: "1", id });
  const next = reborn(hub, clock);
  assert.deepEqual([next.sequenceOfId("x"), next.sequenceOfId("y"), next.sequenceOfId("z")], [1, 3, null]);
});

test("hub memory: after distrust no resume from before is exact, of topics never seen either, and events are still held", () => {
  const hub = hubWith(new VirtualClock());
  hub.publish({ topics: ["/a/1"], data: "1" });
  hub.distrust();
  for (const selectors of SELECTORS) {
    assert.equal(hub.openReader(selectors, 1), null);
    assert.deepEqual(readable(hub, selectors, hub.head), []);
  }
  assert.equal(hub.history("/a/1", { limit: 9, reverse: false }).length, 1);
  const { sequence } = hub.publish({ topics: ["/a/1"], data: "2" });
  assert.equal(readable(hub, SELECTORS[0] ?? [], sequence - 1)?.length, 1);
});

test("hub memory: a hub that was used is not restored, and whoever follows is told before subscribers are", () => {
  const clock = new VirtualClock();
  const hub = hubWith(clock);
  const order: string[] = [];
  const log = hub.follow(() => order.push(`advanced ${log.head}`));
  hub.subscribe(
    { deliver: ({ sequence }) => void order.push(`delivered ${sequence}`) },
    compileMatcher("any", "*"),
  );
  hub.publish({ topics: ["/a/1"], data: "1" });
  hub.markGap(["/a/1"], true);
  assert.deepEqual(order, ["advanced 1", "delivered 1", "advanced 2"]);
  assert.equal(log.eventAt(2), null);
  assert.throws(() => hub.restore(hubWith(clock).memory(), []), /in use/);
});
