/** A soak is interrupted, resumed and ends; what it counted goes on. Takes about a minute and a half. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Line, Totals } from "#lab/soak/sample.ts";
import type { Verdict } from "#lab/soak/verdict.ts";
import { Program, run } from "../helpers/program.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-soak-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const dir = join(directory, "run");
const html = join(directory, "soak.html");

interface Report extends Verdict {
  readonly totals: Totals;
  readonly isInterrupted: boolean;
  readonly tookMs: number;
}

test("soak: Ctrl-C ends it with a report; --resume goes on to its end, and its counts go on", async () => {
  const args = ["soak", "--hours", "0.015", "--compress", "20", "--dir", dir, "--html", html, "--json"];
  await using first = new Program(args);
  await first.printed(/\d+ of 54s .* [1-9]\d* connections/);
  first.child.kill("SIGINT");
  const interrupted = await first.finished;
  const before = JSON.parse(interrupted.stdout) as Report;
  assert.ok(before.isInterrupted);
  assert.ok(before.tookMs < 54_000);
  const used = await run(args);
  assert.equal(used.status, 2);
  assert.match(used.stderr, /holds a run: --resume it, or name another --dir/);
  const resumed = await run([...args, "--resume"]);
  const report = JSON.parse(resumed.stdout) as Report;
  assert.deepEqual(
    report.promises.filter(({ times }) => times > 0),
    [],
  );
  assert.equal(resumed.status, 0);
  assert.ok(!report.isInterrupted && report.tookMs >= 54_000);
  assert.ok(report.totals.opened > before.totals.opened && before.totals.opened > 0);
  assert.match(readFileSync(html, "utf8"), /every promise was kept[\s\S]*Faults of links/);
  const lines = readFileSync(join(dir, "samples.jsonl"), "utf8").trimEnd().split("\n");
  const notes = lines.map((line) => JSON.parse(line) as Line).filter(({ kind }) => kind === "note");
  assert.ok(notes.some((note) => note.kind === "note" && note.what === "resumed"));
});
