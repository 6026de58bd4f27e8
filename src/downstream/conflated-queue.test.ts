import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Hub, type HubEvent } from "#hub/hub.ts";
import { WireFormat } from "#protocol/event.ts";
import { ConflatedQueue } from "./conflated-queue.ts";

const hub = new Hub({
  epoch: "e",
  log: { bytesMax: 2 ** 24, ageMaxMs: 60_000 },
  stateBytesMax: 2 ** 20,
  nowMs: () => 0,
});
const frameOf = (state: HubEvent) => state.frame(WireFormat.sse, state.topics[0]);

function drain(queue: ConflatedQueue): string[] {
  const frames: string[] = [];
  for (let frame = queue.shift(frameOf); frame !== null; frame = queue.shift(frameOf))
    frames.push(String(frame));
  return frames;
}

test("conflated queue: of each topic the newest state is sent, and nothing older; frames that must be sent all are", () => {
  const queue = new ConflatedQueue();
  const publish = (topic: string, data: object) => {
    hub.publish({ topics: [topic], data: JSON.stringify(data), state: "merge" });
    return queue.put(topic, hub.stateOf(topic) as HubEvent);
  };
  assert.equal(publish("/a", { x: 1 }), false);
  queue.push(Buffer.from("must"));
  assert.equal(publish("/b", { y: 1 }), false);
  assert.equal(publish("/a", { z: 3 }), true);
  assert.equal(queue.size, 3);
  const [first, second, third] = drain(queue);
  assert.equal(first, "must");
  assert.match(second ?? "", /data: \{"y":1\}/);
  assert.match(third ?? "", /data: \{"x":1,"z":3\}/);
  assert.deepEqual([queue.size, queue.bytes], [0, 0]);
});

test("conflated queue: whatever comes, order of sequence numbers is kept and the number of states is the topics'", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 200 }), (steps) => {
      const queue = new ConflatedQueue();
      const last = new Map<string, number>();
      let durable = 0;
      for (const step of steps) {
        const topic = `/t/${step}`;
        const isDurable = step === 0;
        const event = hub.publish({ topics: [topic], data: `${step}`, state: isDurable ? "none" : "last" });
        if (isDurable) {
          queue.push(event.frame(WireFormat.sse, topic));
          durable++;
        } else {
          queue.put(topic, hub.stateOf(topic) as HubEvent);
          last.set(topic, event.sequence);
        }
      }
      assert.equal(queue.size, last.size + durable);
      const sequences = drain(queue).map((frame) => Number(/^id: #e\.(\d+)$/m.exec(frame)?.[1]));
      assert.deepEqual(
        sequences,
        sequences.toSorted((one, other) => one - other),
      );
      for (const sequence of last.values()) assert.ok(sequences.includes(sequence));
      assert.equal(queue.bytes, 0);
    }),
  );
});
