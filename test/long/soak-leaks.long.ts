/**
 * Leak detection on whole gateways: each seeded leak has to be found by a soak and named in its report, and a soak of
 * the same length without one has to find none. Takes about a minute and a half for each.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { SeededLeak } from "#lab/leaks/seed-names.ts";
import type { Verdict } from "#lab/soak/verdict.ts";
import { run } from "../helpers/program.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-leaks-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** 90 seconds, 260 connections a second. */
const LENGTH = ["--hours", "0.025", "--compress", "30"];

/** What of each leak has to stand in the report: the class that grows, and what holds it. */
const NAMES: Readonly<Record<SeededLeak, RegExp>> = {
  listener: /more of leakedListener\(\) .*_events.*seeded-leak/,
  "map-entry": /more of Object .*\.leaked → Object \.entries → Map/,
  timer: /more of (Timeout|leakedTimer\(\)) .*TimersList/,
  closure: /held by .*\.closures → Array \[\] → leakedClosure\(\) \.context/,
  socket: /descriptors:socket grew[\s\S]*more of Socket .*\.sockets → Array/,
  buffer:
    /more of (Buffer|FastBuffer|ArrayBuffer|Uint8Array|JSArrayBufferData|system \/ JSArrayBufferData).*\.buffers → Array/,
  promise: /more of Promise .*\.pending → Set/,
};

async function soak(
  name: string,
  args: readonly string[],
): Promise<{ status: number | null; verdict: Verdict }> {
  const { status, stdout, stderr } = await run(
    ["soak", ...LENGTH, "--json", "--dir", join(directory, name), ...args],
    { env: { STREAMKEEPER_LAB: "1" } },
  );
  assert.notEqual(stdout, "", stderr);
  return { status, verdict: JSON.parse(stdout) as Verdict };
}

function leaksOf(verdict: Verdict): readonly string[] {
  return verdict.promises.find(({ promise }) => promise === "leaks")?.examples ?? [];
}

test("leak detection: a soak without a leak finds none, and keeps every promise", async () => {
  const { status, verdict } = await soak("clean", []);
  assert.deepEqual(
    verdict.promises.filter(({ times }) => times > 0),
    [],
  );
  assert.equal(status, 0);
});

for (const [name, expected] of Object.entries(NAMES)) {
  test(`leak detection: a seeded leak (${name}) is found and named`, async () => {
    const { status, verdict } = await soak(name, ["--seed-leak", name]);
    assert.match(leaksOf(verdict).join("\n"), expected);
    assert.equal(status, 1);
  });
}
