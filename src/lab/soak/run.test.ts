import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SystemClock } from "#base/system-clock.ts";
import { GatewayError, GatewayProcess } from "./gateway-process.ts";
import type { SoakOptions } from "./record.ts";
import { textReport } from "./report.ts";
import { runSoak } from "./run.ts";
import { judge } from "./verdict.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-run-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const clock = new SystemClock();

test("gateway process: one that does not start says how it ended, and its last words", async () => {
  const options = {
    file: join(directory, "none.yaml"),
    logFile: join(directory, "gateway.log"),
    seedLeak: null,
  };
  await assert.rejects(GatewayProcess.start(options, clock), (thrown) => {
    assert.ok(thrown instanceof GatewayError);
    assert.match(
      thrown.message,
      /ended at its start, by status 2; see gateway\.log; its last words: .*none\.yaml/,
    );
    return true;
  });
});

test("soak: a gateway that does not come up again ends the run with a report, and breaks a promise", async () => {
  const dir = mkdtempSync(join(directory, "run-"));
  const settings = { durationMs: 3_600_000, compress: 1, seed: 1, seedLeak: null };
  writeFileSync(join(dir, "run.json"), JSON.stringify({ settings, startedAtMs: clock.nowMs() }));
  const earlier = { promise: "log", detail: "of an earlier sitting" };
  const note = { kind: "note", atMs: 5000, what: "broken", text: JSON.stringify(earlier) };
  writeFileSync(join(dir, "samples.jsonl"), `${JSON.stringify(note)}\n`);
  // As a crash might leave it.
  writeFileSync(join(dir, "soak.db"), "no database ".repeat(1000));
  const options: SoakOptions = {
    ...settings,
    dir,
    resume: true,
    signal: new AbortController().signal,
    onSample: () => {},
    onNote: () => {},
  };
  const record = await runSoak(options, clock);
  assert.equal(record.failure, null);
  assert.deepEqual(record.broken[0], earlier);
  assert.deepEqual(
    record.broken.map(({ promise }) => promise),
    ["log", "process"],
  );
  assert.match(readFileSync(join(dir, "samples.jsonl"), "utf8"), /"what":"end","text":"it could not go on: /);
  const verdict = judge(record, []);
  assert.equal(verdict.ok, false);
  assert.match(textReport(record, verdict), /^broken: process, log\n/);
});
