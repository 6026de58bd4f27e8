import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ErrorEntry, ErrorGroups, OTHERS } from "./error-groups.ts";

const T0 = 1_767_225_600_000;
const MINUTE_MS = 60_000;
const reset = (peer: string, sample = "ECONNRESET"): ErrorEntry => ({
  kind: "end",
  room: "downstream",
  code: "connection_reset",
  peer,
  sample,
});

test("error groups: the same room, code and peer are one group, with counts, times and the latest sample", () => {
  const groups = new ErrorGroups();
  groups.add(reset("192.0.2.1", "the first"), T0);
  groups.add(reset("192.0.2.1", "the last"), T0 + 5000, 3);
  groups.add(reset("192.0.2.2"), T0 + 1000);
  groups.add({ ...reset("192.0.2.1"), kind: "error" }, T0 + 2000);
  assert.equal(groups.size, 3);
  assert.equal(groups.total, 6);
  assert.deepEqual(groups.list("", 1), [
    { ...reset("192.0.2.1", "the last"), count: 4, firstAtMs: T0, lastAtMs: T0 + 5000 },
  ]);
});

test("error groups: peers of one code beyond fifty are told of together, and nothing of their count is lost", () => {
  const groups = new ErrorGroups();
  for (let n = 0; n < 500; n++) groups.add(reset(`192.0.2.${n}`), T0 + n);
  assert.equal(groups.size, 51);
  const others = groups.list("", 100).find(({ peer }) => peer === OTHERS);
  assert.equal(others?.count, 450);
  groups.add(reset("192.0.2.7"), T0 + 1000);
  assert.equal(groups.list("", 1)[0]?.peer, "192.0.2.7", "who was told apart before still is");
  groups.add({ ...reset("192.0.2.499"), code: "no_pong" }, T0 + 1001);
  assert.equal(groups.list("", 1)[0]?.peer, "192.0.2.499", "another code has its own fifty");
});

test("error groups: at two thousand the longest unseen goes, and its place among the peers with it", () => {
  const groups = new ErrorGroups();
  const codes = Array.from({ length: 40 }, (_, n) => `code_${n}`);
  for (const [n, code] of codes.entries())
    for (let peer = 0; peer < 50; peer++) groups.add({ ...reset(`p${peer}`), code }, T0 + n);
  assert.equal(groups.size, 2000);
  groups.add({ ...reset("p0"), code: "code_0" }, T0 + 100);
  groups.add({ ...reset("new"), code: "one_more" }, T0 + 101);
  assert.equal(groups.size, 2000);
  const left = groups.list("code_0 ", 500).map(({ peer }) => peer);
  assert.ok(left.includes("p0") && !left.includes("p1"), "p0 was seen again, so p1 is the oldest");
  groups.add({ ...reset("p50"), code: "code_0" }, T0 + 102);
  assert.equal(groups.list("", 1)[0]?.peer, "p50", "there is room for one peer again");
});

test("error groups: a sample is cut, however long", () => {
  const groups = new ErrorGroups();
  groups.add(reset("p", "x".repeat(10_000)), T0);
  assert.equal(groups.list("", 1)[0]?.sample.length, 300);
});

test("error groups: what is restored is counted on, keeps its first time, and is not saved before it changes", () => {
  const groups = new ErrorGroups();
  groups.restore([
    { ...reset("b"), count: 7, firstAtMs: T0 - 9000, lastAtMs: T0 - 10 },
    { ...reset("a"), count: 2, firstAtMs: T0 - 8000, lastAtMs: T0 - 20 },
  ]);
  assert.equal(groups.total, 9);
  assert.deepEqual(groups.takeChanged(), []);
  groups.add(reset("a", "again"), T0);
  const changed = groups.takeChanged();
  assert.deepEqual(changed, [{ ...reset("a", "again"), count: 3, firstAtMs: T0 - 8000, lastAtMs: T0 }]);
  assert.deepEqual(groups.takeChanged(), []);
  groups.giveBack(changed);
  assert.deepEqual(groups.takeChanged(), changed, "what could not be saved is still to be saved");
  assert.equal(groups.minutes(T0).at(-1)?.count, 1, "what was before is not counted as of now");
});

test("error groups: searching finds room, code, peer and sample, whatever the case, within the limit", () => {
  const groups = new ErrorGroups();
  groups.add(reset("192.0.2.1"), T0);
  groups.add(
    { kind: "error", room: "storage", code: "SQLITE_BUSY", peer: "", sample: "it was busy" },
    T0 + 1,
  );
  assert.equal(groups.list("sqlite", 10).length, 1);
  assert.equal(groups.list("WAS BUSY", 10).length, 1);
  assert.equal(groups.list("192.0.2", 10).length, 1);
  assert.equal(groups.list("nothing", 10).length, 0);
  assert.equal(groups.list("", 1).length, 1);
});

test("error groups: minutes are those of the last hour, the oldest first, empty ones too", () => {
  const groups = new ErrorGroups();
  groups.add(reset("p"), T0, 2);
  groups.add(reset("p"), T0 + 59 * MINUTE_MS, 5);
  const minutes = groups.minutes(T0 + 59 * MINUTE_MS);
  assert.equal(minutes.length, 60);
  assert.deepEqual([minutes[0]?.count, minutes[1]?.count, minutes[59]?.count], [2, 0, 5]);
  groups.add(reset("p"), T0 + 60 * MINUTE_MS);
  assert.equal(groups.minutes(T0 + 59 * MINUTE_MS)[0]?.count, 0, "the minute that is over an hour old went");
});

test("error groups: after a clock that was set forth and back, the minutes of now are counted still", () => {
  const groups = new ErrorGroups();
  const future = T0 + 10 * 365 * 86_400_000;
  groups.add(reset("p"), future, 100);
  for (let minute = 0; minute < 200; minute++) groups.add(reset("p"), T0 + minute * MINUTE_MS);
  const counts = groups.minutes(T0 + 199 * MINUTE_MS).map(({ count }) => count);
  assert.deepEqual(counts, new Array(60).fill(1));
  assert.equal(groups.minutes(future).at(-1)?.count, 0, "what was counted in the wrong time is forgotten");
});

const step = fc.record({
  code: fc.integer({ min: 0, max: 60 }),
  peer: fc.integer({ min: 0, max: 120 }),
  count: fc.integer({ min: 1, max: 9 }),
  jumpMs: fc.oneof(fc.integer({ min: 0, max: 120_000 }), fc.integer({ min: -(10 ** 9), max: 10 ** 9 })),
});

test("error groups: whatever comes and however the clock jumps, they stay bounded, in order, and count everything", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const groups = new ErrorGroups();
      let nowMs = T0;
      let total = 0;
      for (const { code, peer, count, jumpMs } of steps) {
        nowMs += jumpMs;
        total += count;
        groups.add({ ...reset(`p${peer}`), code: `c${code}` }, nowMs, count);
      }
      const all = groups.list("", 10_000);
      assert.equal(groups.total, total);
      // Few enough steps that nothing is forgotten: the groups hold every count.
      assert.equal(
        all.reduce((sum, { count }) => sum + count, 0),
        total,
      );
      assert.ok(all.every(({ firstAtMs, lastAtMs }) => firstAtMs <= lastAtMs));
      assert.ok(all.every(({ lastAtMs }, at) => at === 0 || lastAtMs <= (all[at - 1]?.lastAtMs ?? 0)));
      const copy = new ErrorGroups();
      copy.restore(all);
      assert.deepEqual(
        copy.list("", 10_000).toSorted(byName),
        all.toSorted(byName),
        "what is saved and read again is the same",
      );
    }),
    { numRuns: 60 },
  );
});

function byName(one: ErrorEntry, other: ErrorEntry): number {
  return `${one.code} ${one.peer}` < `${other.code} ${other.peer}` ? -1 : 1;
}
