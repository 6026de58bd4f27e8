import assert from "node:assert/strict";
import { test } from "node:test";
import { Hub } from "./hub.ts";

const LONG = "t".repeat(10_000);
const COUNT = 50;

const open = (stateBytesMax = 2 ** 24) =>
  new Hub({
    epoch: "Kq3vR8xT2mWz",
    log: { bytesMax: 200_000, ageMaxMs: 60_000 },
    stateBytesMax,
    nowMs: () => 0,
  });

for (const [text, publication] of [
  ["types", { data: "1", type: LONG }],
  ["ids", { data: "1", id: LONG }],
  ["data", { data: LONG }],
] as const) {
  test(`charges: long ${text} count against the log's bound`, () => {
    const hub = open();
    for (let n = 0; n < COUNT; n++) hub.publish({ topics: [`/t/${n}`], ...publication });
    const { logBytes, logEvents } = hub.stats();
    assert.ok(logBytes <= 200_000);
    assert.ok(logEvents >= 8 && logEvents <= 10, `${logEvents} of 20,000 bytes`);
  });
}

test("charges: alternate topics count against the log's bound", () => {
  const hub = open();
  const topics = Array.from({ length: 10 }, (_, n) => `/${n}/${"t".repeat(1000)}`);
  for (let n = 0; n < COUNT; n++) hub.publish({ topics: ["/t", ...topics], data: "1" });
  assert.ok(hub.stats().logEvents <= 10);
});

for (const state of ["last", "merge"] as const) {
  test(`charges: long types count against the bound of states (${state})`, () => {
    const hub = open(200_000);
    for (let n = 0; n < COUNT; n++) hub.publish({ topics: [`/t/${n}`], data: '{"a":1}', type: LONG, state });
    const { stateBytes, topicsWithState: states } = hub.stats();
    assert.ok(stateBytes <= 200_000);
    assert.ok(states >= 8 && states <= 10, `${states} of 20,000 bytes`);
  });
}
