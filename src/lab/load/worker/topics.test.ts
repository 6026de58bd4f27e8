import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { eventOf, lastSequence } from "./topics.ts";

test("topics: the last number of a topic is that of the last event that went to it, and none is left out", () => {
  fc.assert(
    fc.property(fc.nat(7), fc.nat(60), fc.integer({ min: 1, max: 9 }), (publisher, published, topics) => {
      const last = new Map<number, number>();
      for (let index = 0; index < published; index++) {
        const { topic, sequence } = eventOf(publisher, index, topics);
        assert.equal(sequence, (last.get(topic) ?? 0) + 1);
        last.set(topic, sequence);
      }
      for (let topic = 0; topic < topics; topic++)
        assert.equal(lastSequence(publisher, topic, published, topics), last.get(topic) ?? 0);
    }),
  );
});
