import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createMapping, ITEMS_MAX, type MappingFault, TYPE_LENGTH_MAX } from "./mapping.ts";
import type { FeedEvent, FeedSettings } from "./ports.ts";

type Settings = Pick<FeedSettings, "topic" | "items" | "key" | "state" | "access">;

const QUOTES: Settings = {
  topic: "/quotes/{key}",
  items: null,
  key: "/symbol",
  state: "merge",
  access: "private",
};

describe("mapping", () => {
  test("mapping: an item's data is passed through as it came, its key names the topic", () => {
    const data = '{ "symbol": "AAPL",  "price": 1.50, "symbol2": 1e400 }';
    assert.deepEqual(run(QUOTES, data, "quote"), {
      events: [{ topic: "/quotes/AAPL", key: "AAPL", data, type: "quote", state: "merge", private: true }],
      faults: [],
    });
  });

  test("mapping: a fixed topic takes any data, JSON or not", () => {
    const news: Settings = { topic: "/news", items: null, key: null, state: "none", access: "public" };
    const { events } = run(news, "not {json");
    assert.deepEqual(events, [
      { topic: "/news", key: "", data: "not {json", type: "", state: "none", private: false },
    ]);
  });

  test("mapping: items are taken apart in order, a bad one costs only itself", () => {
    const settings = { ...QUOTES, items: "/quotes" };
    const { events, faults } = run(
      settings,
      '{"quotes":[{"symbol":"A","p":1},{"p":2},7,{"symbol":"B"},{"symbol":"A","p":3}]}',
    );
    assert.deepEqual(
      events.map(({ topic, data }) => [topic, data]),
      [
        ["/quotes/A", '{"symbol":"A","p":1}'],
        ["/quotes/B", '{"symbol":"B"}'],
        ["/quotes/A", '{"symbol":"A","p":3}'],
      ],
    );
    assert.deepEqual(faults, ["no_key", "no_key"]);
  });

  test("mapping: the whole document can be the array, and a fixed topic can have items", () => {
    const { events } = run({ ...QUOTES, topic: "/all", items: "", key: null }, '[1,"two",null]');
    assert.deepEqual(
      events.map(({ topic, data }) => [topic, data]),
      [
        ["/all", "1"],
        ["/all", '"two"'],
        ["/all", "null"],
      ],
    );
  });

  for (const [name, settings, data, fault] of [
    ["data that is not JSON", QUOTES, "{", "not_json"],
    ["no data", QUOTES, "", "not_json"],
    ["data nested without end", QUOTES, "[".repeat(200_000), "not_json"],
    ["items that are no array", { ...QUOTES, items: "/quotes" }, '{"quotes":{}}', "bad_items"],
    ["a missing key", QUOTES, '{"sym":"A"}', "no_key"],
    ["a key that is an object", QUOTES, '{"symbol":{}}', "no_key"],
    ["a key that is null", QUOTES, '{"symbol":null}', "no_key"],
    ["a key that only the prototype has", { ...QUOTES, key: "/constructor/name" }, "{}", "no_key"],
    ["an empty key", QUOTES, '{"symbol":""}', "bad_topic"],
    ["a key that a URL would lose", QUOTES, '{"symbol":".."}', "bad_topic"],
    ["half a character as a key", QUOTES, '{"symbol":"\\ud800"}', "bad_topic"],
    ["a key too long for a topic", QUOTES, `{"symbol":"${"x".repeat(1100)}"}`, "bad_topic"],
  ] as const) {
    test(`mapping: ${name} is the fault ${fault}`, () => {
      assert.deepEqual(run(settings, data), { events: [], faults: [fault] });
    });
  }

  test("attack: an item that is nested too deeply to be written again costs only itself", () => {
    const deep = `{"symbol":"A","x":${"[".repeat(20_000)}{"toJSON":1}${"]".repeat(20_000)}}`;
    const { events, faults } = run({ ...QUOTES, items: "" }, `[{"symbol":"A"},${deep},{"symbol":"B"}]`);
    assert.deepEqual(
      events.map(({ topic }) => topic),
      ["/quotes/A", "/quotes/B"],
    );
    assert.deepEqual(faults, ["too_deep"]);
  });

  test("attack: an event of more items than can be handed on in one turn is a fault, and hands on none", () => {
    const settings = { ...QUOTES, topic: "/all", items: "", key: null };
    const most = `[${Array(ITEMS_MAX).fill(1).join()}`;
    assert.equal(run(settings, `${most}]`).events.length, ITEMS_MAX);
    assert.deepEqual(run(settings, `${most},1]`), { events: [], faults: ["too_many_items"] });
  });

  test("attack: an event type that is longer than any is a fault", () => {
    const type = "t".repeat(TYPE_LENGTH_MAX);
    assert.equal(run(QUOTES, '{"symbol":"A"}', type).events[0]?.type, type);
    assert.deepEqual(run(QUOTES, '{"symbol":"A"}', `${type}t`), { events: [], faults: ["type_too_long"] });
  });

  test("mapping: a number is a key", () => {
    assert.equal(run(QUOTES, '{"symbol":42}').events[0]?.topic, "/quotes/42");
  });

  test("mapping: without a key of its own, an event has its link's, if that has only one", () => {
    const settings = { ...QUOTES, key: null };
    assert.equal(run(settings, "x", "", "AAPL").events[0]?.topic, "/quotes/AAPL");
    assert.deepEqual(run(settings, "x", "", null).faults, ["no_key"]);
  });

  test("mapping: a hundred thousand different keys are mapped right", () => {
    const mapping = createMapping(QUOTES);
    for (let n = 0; n < 100_000; n++) {
      let topic = "";
      mapping.map({ id: null, type: "", data: `{"symbol":"k/${n}"}` }, null, {
        item: (event) => {
          topic = event.topic;
        },
        fault: assert.fail,
      });
      assert.equal(topic, `/quotes/k%2F${n}`);
    }
  });
});

function run(
  settings: Settings,
  data: string,
  type = "",
  linkKey: string | null = null,
): { events: FeedEvent[]; faults: MappingFault[] } {
  const events: FeedEvent[] = [];
  const faults: MappingFault[] = [];
  createMapping(settings).map({ id: null, type, data }, linkKey, {
    item: (event) => events.push(event),
    fault: (fault) => faults.push(fault),
  });
  return { events, faults };
}
