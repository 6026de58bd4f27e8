import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LoadReport } from "#lab/load/report.ts";
import { Program, run } from "../../test/helpers/program.ts";

test("streamkeeper load: Ctrl-C ends it with its whole report, in JSON and as a page, and exit status 0", async () => {
  const folder = mkdtempSync(join(tmpdir(), "load-test-"));
  try {
    const html = join(folder, "report.html");
    const args = ["load", "--sse", "3", "--websocket", "3", "--duration", "10m", "--events", "max", "--json"];
    await using program = new Program([...args, "--verbose", "--html", html]);
    await program.printed(/holding: 6 connected/);
    program.child.kill("SIGINT");
    const { status, stdout, stderr } = await program.finished;
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout) as LoadReport;
    assert.equal(report.interrupted, true);
    assert.equal(report.connections.held, 6);
    assert.equal(report.plan.eventsPerSecond, null);
    assert.match(readFileSync(html, "utf8"), /<svg /);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("streamkeeper load: what can't be run, or may not, is refused with exit status 2", async () => {
  const [away, bad] = await Promise.all([
    run(["load", "--url", "https://events.example.com"]),
    run(["load", "--sse", "0", "--websocket", "0"]),
  ]);
  assert.equal(away.status, 2);
  assert.match(away.stderr, /--i-own-this-host/);
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /there must be a subscriber/);
});
