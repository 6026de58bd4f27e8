import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compileMatcher, type TopicMatcher } from "#protocol/topic-matcher.ts";
import { type EventSink, type Gap, Hub, type HubEvent, TopicRefused } from "./hub.ts";

const A = compileMatcher("exact", "/q/a");
const B = compileMatcher("exact", "/q/b");
const Q = compileMatcher("urlpattern", "/q/*");

function newHub(demand?: ConstructorParameters<typeof Hub>[0]["demand"]): Hub {
  return new Hub({
    epoch: "e1",
    log: { bytesMax: 2 ** 20, ageMaxMs: 60_000 },
    stateBytesMax: 2 ** 20,
    nowMs: () => 0,
    ...(demand === undefined ? {} : { demand }),
  });
}

const publish = (hub: Hub, topic: string) => hub.publish({ topics: [topic], data: "1", state: "last" });

class Listener implements EventSink {
  readonly heard: (HubEvent | Gap)[] = [];
  deliver(event: HubEvent): void {
    this.heard.push(event);
  }
  gap(gap: Gap): void {
    this.heard.push(gap);
  }
}

describe("gap", () => {
  test("gap: whoever subscribes to one of the topics is told once, by exact topic and by pattern, others are not", () => {
    const hub = newHub();
    const [both, pattern, other] = [new Listener(), new Listener(), new Listener()];
    hub.subscribe(both, A);
    hub.subscribe(both, B);
    hub.subscribe(pattern, Q);
    hub.subscribe(other, compileMatcher("exact", "/q/c"));
    publish(hub, "/q/a");
    hub.markGap(["/q/a", "/q/b"], true);
    const names = (listener: Listener) =>
      listener.heard.flatMap((each) => ("after" in each ? [each.parts.flatMap((part) => part.names)] : []));
    assert.deepEqual(names(both), [["/q/a", "/q/b"]]);
    assert.deepEqual(names(pattern), [["/q/a", "/q/b"]]);
    assert.deepEqual(other.heard, []);
  });

  test("attack: a gap of many topics costs those who subscribe by the same pattern one list together", () => {
    const hub = newHub();
    const listeners = Array.from({ length: 50 }, () => new Listener());
    for (const listener of listeners) hub.subscribe(listener, Q);
    const names = Array.from({ length: 100 }, (_, index) => `/q/${index}`);
    hub.markGap(names, true);
    const parts = listeners.map(({ heard }) => heard.flatMap((each) => ("after" in each ? each.parts : [])));
    assert.deepEqual(parts[0]?.[0]?.names, names);
    for (const [part, ...more] of parts) {
      assert.equal(part, parts[0]?.[0], "the same object");
      assert.equal(more.length, 0);
    }
  });

  test("gap: a resume from before it is not exact, not even from the last event; from after it, it is", () => {
    const hub = newHub();
    hub.subscribe(new Listener(), A);
    const before = publish(hub, "/q/a").sequence;
    hub.markGap(["/q/a"], true);
    const after = hub.head;
    for (const selector of [A, Q]) {
      assert.equal(hub.openReader([selector], before), null);
      assert.notEqual(hub.openReader([selector], after), null);
      assert.equal(hub.readableAfter([selector]), after);
    }
    publish(hub, "/q/a");
    assert.equal(hub.openReader([A], after)?.next()?.sequence, hub.head);
    assert.equal(hub.openReader([Q], before), null);
  });

  test("gap: other topics resume as if nothing had been", () => {
    const hub = newHub();
    hub.subscribe(new Listener(), B);
    const before = publish(hub, "/q/b").sequence;
    hub.markGap(["/q/a"], true);
    assert.equal(hub.openReader([B], before)?.next(), null);
    assert.notEqual(hub.openReader([compileMatcher("urlpattern", "/news/*")], before), null);
  });

  test("gap: readers under way are lost, those that had read all are not", () => {
    const hub = newHub();
    hub.subscribe(new Listener(), A);
    publish(hub, "/q/a");
    const readers = [A, Q].map((selector) => hub.openReader([selector], 0));
    hub.markGap(["/q/a"], true);
    for (const reader of readers) {
      assert.equal(reader?.next(), null);
      assert.equal(reader?.lost, true);
    }
  });

  test("gap: the topic's state stays", () => {
    const hub = newHub();
    publish(hub, "/q/a");
    hub.markGap(["/q/a"], true);
    assert.equal(hub.stateOf("/q/a")?.data, "1");
  });

  test("gap: a sink may leave when it is told", () => {
    const hub = newHub();
    const told: string[] = [];
    for (const name of ["1", "2", "3"]) {
      const sink: EventSink = {
        deliver() {},
        gap() {
          told.push(name);
          subscription.close();
        },
      };
      const subscription = hub.subscribe(sink, A);
    }
    hub.markGap(["/q/a"], true);
    assert.deepEqual(told, ["1", "2", "3"]);
    assert.equal(hub.stats().subscribers, 0);
    assert.equal(hub.stats().topics, 0);
  });

  test("gap: places in the log without an event leave it with the events around them", () => {
    const hub = newHub();
    for (let n = 0; n < 3000; n++) {
      if (n % 3 === 0) hub.markGap(["/q/a"], true);
      else publish(hub, "/q/b");
    }
    assert.equal(hub.head, 3000);
    hub.squeeze(0);
    assert.equal(hub.stats().logEvents, 0);
    assert.equal(hub.stats().logBytes, 0);
  });

  test("demand: where a topic's events begin only now, a resume from before is not exact", () => {
    let verdict: "begun" | "held" = "begun";
    const hub = newHub({ wanted: () => verdict, unwanted() {} });
    const other = publish(hub, "/other").sequence;
    const first = hub.subscribe(new Listener(), A);
    assert.equal(hub.openReader([A], other), null, "nobody knows what came before");
    const cursor = publish(hub, "/q/a").sequence;
    first.close();
    verdict = "held";
    hub.subscribe(new Listener(), A).close();
    assert.notEqual(hub.openReader([A], cursor), null, "it has come without a break");
    verdict = "begun";
    hub.subscribe(new Listener(), A);
    assert.equal(hub.openReader([A], cursor), null, "nobody asked for it meanwhile");
  });

  test("demand: what is read from the earliest on begins after the break, also beside a pattern", () => {
    const hub = newHub({ wanted: () => "begun", unwanted() {} });
    const before = publish(hub, "/other").sequence;
    hub.subscribe(new Listener(), A);
    const event = publish(hub, "/q/a");
    for (const selectors of [[A], [A, compileMatcher("urlpattern", "/o*")]]) {
      assert.equal(hub.openReader(selectors, before), null, "nobody knows what came in between");
      const reader = hub.openReader(selectors, hub.readableAfter(selectors));
      assert.equal(reader?.next()?.sequence, event.sequence);
    }
  });

  test("demand: a topic that there is no room for is refused, and nothing of it is left behind", () => {
    const hub = newHub({ wanted: () => "full", unwanted: () => assert.fail("it was never wanted") });
    assert.throws(() => hub.subscribe(new Listener(), A), TopicRefused);
    assert.deepEqual({ ...hub.stats() }, { ...newHub().stats() });
    hub.subscribe(new Listener(), Q);
  });

  test("gap: whatever happens, no subscriber has a hole that it was not told of", () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ publish: fc.constantFrom("/q/a", "/q/b") }) },
      { weight: 2, arbitrary: fc.record({ lose: fc.constantFrom("/q/a", "/q/b") }) },
      { weight: 2, arbitrary: fc.constant("leave" as const) },
      { weight: 2, arbitrary: fc.constant("come" as const) },
      { weight: 1, arbitrary: fc.constant("evict" as const) },
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.constantFrom([A], [A, B], [Q]),
        (steps, selectors) => {
          const hub = newHub();
          const client = new Client(hub, selectors);
          // What the feed has: each event's number, whether or not it came through.
          let n = 0;
          for (const each of steps) {
            if (each === "leave") client.leave();
            else if (each === "come") client.come();
            else if (each === "evict") {
              hub.squeeze(0);
              hub.squeeze(1);
            } else if ("publish" in each) {
              hub.publish({ topics: [each.publish], data: String(++n) });
              client.happened(each.publish, n);
            } else {
              hub.markGap([each.lose], true);
              client.happened(each.lose, ++n);
            }
          }
          client.come();
          client.check();
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** Reads as clients do: it resumes from its cursor, and takes note when it is told that something is missing. */
class Client implements EventSink {
  readonly #hub: Hub;
  readonly #selectors: readonly TopicMatcher[];
  #subscriptions: Disposable[] = [];
  #cursor: number | null = null;
  /** What should have come since the client last was told of a gap. */
  #expected: number[] = [];
  #got: number[] = [];
  #told = false;

  constructor(hub: Hub, selectors: readonly TopicMatcher[]) {
    this.#hub = hub;
    this.#selectors = selectors;
  }

  happened(topic: string, n: number): void {
    if (this.#cursor === null || !this.#selectors.some((selector) => selector.matches(topic))) return;
    if (this.#told) {
      // Told within the same call: what was lost is known to be.
      this.#told = false;
      return;
    }
    this.#expected.push(n);
  }

  come(): void {
    if (this.#subscriptions.length > 0) return;
    this.#subscriptions = this.#selectors.map((selector) => this.#hub.subscribe(this, selector));
    const reader = this.#cursor === null ? null : this.#hub.openReader(this.#selectors, this.#cursor);
    if (reader === null) this.#forget();
    for (let event = reader?.next() ?? null; event !== null; event = reader?.next() ?? null)
      this.deliver(event);
    this.#cursor = this.#hub.head;
  }

  leave(): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#subscriptions = [];
  }

  deliver(event: HubEvent): void {
    this.#got.push(Number(event.data));
    this.#cursor = event.sequence;
  }

  gap(gap: Gap): void {
    this.#forget();
    this.#told = true;
    this.#cursor = gap.sequence;
  }

  check(): void {
    assert.deepEqual(this.#got, this.#expected);
  }

  #forget(): void {
    this.checkBeginning();
    this.#expected = [];
    this.#got = [];
  }

  /** Up to where it was told, nothing was missing or out of order. */
  checkBeginning(): void {
    assert.deepEqual(this.#got, this.#expected.slice(0, this.#got.length));
  }
}
