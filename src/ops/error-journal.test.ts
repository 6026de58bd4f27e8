import assert from "node:assert/strict";
import { test } from "node:test";
import { CodedError } from "#base/errors.ts";
import { type Logger, silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { ErrorJournal } from "./error-journal.ts";

test("error journal: errors are counted by room and code, and their lines folded", () => {
  const lines: object[] = [];
  const logger: Logger = { ...silentLogger, error: (fields) => void lines.push(fields) };
  const clock = new VirtualClock();
  using journal = new ErrorJournal(logger, clock);
  for (let n = 0; n < 100; n++)
    journal.record("storage", new CodedError("locked", "the file is locked"), "a user was not saved", { n });
  journal.record("cluster", Object.assign(new Error("gone"), { code: "ECONNRESET" }), "the broker was lost");
  journal.record("cluster", "a string", "the broker was lost");
  assert.deepEqual(
    [...journal.counts.entries()],
    [
      ["storage:locked", 100],
      ["cluster:ECONNRESET", 1],
      ["cluster:uncoded", 1],
    ],
  );
  assert.equal(lines.length, 7);
  assert.deepEqual(lines[0], { n: 0, room: "storage", code: "locked", reason: "the file is locked" });
  clock.advance(10_000);
  assert.deepEqual(lines.at(-1), { repeated: 95 });
});

test("error journal: codes that come from outside can't grow it without bound", () => {
  using journal = new ErrorJournal(silentLogger, new VirtualClock());
  for (let n = 0; n < 5000; n++) journal.record("upstream", { code: `E${n}` }, "odd");
  journal.record("upstream", { code: "white space: and colon" }, "odd");
  journal.record("upstream", { code: "E1" }, "odd");
  const entries = [...journal.counts.entries()];
  assert.equal(entries.length, 257);
  assert.equal(journal.counts.of("upstream:E1"), 2);
  assert.equal(journal.counts.of("upstream:other"), 5000 - 256 + 1);
});
