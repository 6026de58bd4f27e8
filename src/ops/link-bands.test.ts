import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LinkBands } from "./link-bands.ts";

const T0 = 1_767_225_600_000;
const HOUR_MS = 3_600_000;

test("link bands: each link's states are told with their times, and when it ended", () => {
  const bands = new LinkBands();
  bands.changed("quotes", 1, "connecting", T0);
  bands.changed("quotes", 1, "open", T0 + 10);
  bands.changed("quotes", 2, "connecting", T0 + 20);
  bands.changed("quotes", 1, "ended", T0 + 30);
  assert.deepEqual(bands.of("quotes", T0 + 40), [
    {
      link: 1,
      changes: [
        [T0, "connecting"],
        [T0 + 10, "open"],
        [T0 + 30, "ended"],
      ],
      endedAtMs: T0 + 30,
    },
    { link: 2, changes: [[T0 + 20, "connecting"]], endedAtMs: null },
  ]);
  assert.deepEqual(bands.of("news", T0), []);
});

test("link bands: of what is over an hour old, only the state in which the hour began is kept", () => {
  const bands = new LinkBands();
  bands.changed("quotes", 1, "connecting", T0);
  bands.changed("quotes", 1, "open", T0 + 10);
  bands.changed("quotes", 2, "connecting", T0);
  bands.changed("quotes", 2, "ended", T0 + 20);
  const told = bands.of("quotes", T0 + HOUR_MS + 1000);
  assert.deepEqual(told, [{ link: 1, changes: [[T0 + 10, "open"]], endedAtMs: null }]);
});

test("link bands: beyond two hundred links those that have ended go first, then the oldest", () => {
  const bands = new LinkBands();
  for (let link = 0; link < 200; link++) bands.changed("quotes", link, "open", T0);
  bands.changed("quotes", 150, "ended", T0 + 1);
  bands.changed("quotes", 200, "open", T0 + 2);
  bands.changed("quotes", 201, "open", T0 + 3);
  const links = bands.of("quotes", T0 + 4).map(({ link }) => link);
  assert.equal(links.length, 200);
  assert.ok(!links.includes(150) && !links.includes(0) && links.includes(1) && links.includes(201));
});

test("link bands: a feed that is configured no more is forgotten", () => {
  const bands = new LinkBands();
  bands.changed("quotes", 1, "open", T0);
  bands.changed("news", 1, "open", T0);
  bands.forget(new Set(["news"]));
  assert.deepEqual(bands.of("quotes", T0), []);
  assert.equal(bands.of("news", T0).length, 1);
});

test("link bands: what was told is a copy that later changes leave alone", () => {
  const bands = new LinkBands();
  bands.changed("quotes", 1, "connecting", T0);
  const told = bands.of("quotes", T0);
  bands.changed("quotes", 1, "open", T0 + 1);
  assert.deepEqual(told[0]?.changes, [[T0, "connecting"]]);
});

test("link bands: whatever links do and however the clock jumps, a feed's are bounded and end in the last state", () => {
  const change = fc.record({
    link: fc.integer({ min: 0, max: 300 }),
    state: fc.constantFrom("connecting", "open", "waiting", "rejected", "ended"),
    passedMs: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: -(10 ** 8), max: 10 ** 8 })),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 500 }), (changes) => {
      const bands = new LinkBands();
      const last = new Map<number, string>();
      let nowMs = T0;
      for (const { link, state, passedMs } of changes) {
        nowMs += passedMs;
        bands.changed("quotes", link, state, nowMs);
        last.set(link, state);
      }
      const told = bands.of("quotes", nowMs);
      assert.ok(told.length <= 200);
      for (const { link, changes: kept, endedAtMs } of told) {
        assert.ok(kept.length > 0 && kept.length <= 200);
        assert.equal(kept.at(-1)?.[1], last.get(link));
        assert.equal(endedAtMs !== null, last.get(link) === "ended");
      }
    }),
    { numRuns: 60 },
  );
});
