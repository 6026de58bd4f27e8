/**
 * Leak detection on whole gateways: each seeded leak has to be found by a soak and named in its report, and a soak of
 * the same length without one has to find none. Each goes on past its minute and a half until it can be judged: the
 * longer, the busier the machine is, and for five minutes at most.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { SeededLeak } from "#lab/leaks/seed-names.ts";
import type { PromiseName } from "#lab/soak/checks.ts";
import type { Lack } from "#lab/soak/extension.ts";
import type { Verdict } from "#lab/soak/verdict.ts";
import { run } from "../helpers/program.ts";

type Report = Verdict & { readonly lack: Lack | null };

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-leaks-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** 90 seconds, 260 connections a second if the machine can. */
const LENGTH = ["--hours", "0.025", "--compress", "30"];

/** What the report has to say of each leak: which collection holds more of what, and on which way. */
const NAMES: Readonly<Record<SeededLeak, RegExp>> = {
  listener: /more are held by .*\._events → Object \.seeded-leak → Array \[\] → leakedListener\(\):/,
  "map-entry": /more are held by .*\.leaked → Object \.entries → Map \.table → \(array\) \[\] → Object:/,
  timer: /more are held by .*TimersList .*(Timeout|leakedTimer\(\))/,
  closure:
    /more are held by .*\.leaked → Object \.closures → Array \[\] → leakedClosure\(\):.* → \w+Connection/,
  socket:
    /more are held by .*\.leaked → Object \.sockets → Array \[\] → Socket:[\s\S]*descriptors:socket grew/,
  buffer: /more are held by .*\.leaked → Object \.buffers → Array \[\] → (Fast)?Buffer:/,
  promise: /more are held by .*\.leaked → Object \.pending → Set \.table → \(array\) \[\] → Promise:/,
};

/** On a machine without a processor to spare some clients are let in too late, or seen to have left too late. */
const BUSY: ReadonlySet<PromiseName> = new Set(["admission", "clients"]);

async function soak(
  name: string,
  args: readonly string[],
): Promise<{ status: number | null; verdict: Report }> {
  const { status, stdout, stderr } = await run(
    ["soak", ...LENGTH, "--json", "--dir", join(directory, name), ...args],
    { env: { STREAMKEEPER_LAB: "1" } },
  );
  assert.notEqual(stdout, "", stderr);
  return { status, verdict: JSON.parse(stdout) as Report };
}

function leaksOf(verdict: Verdict): readonly string[] {
  return verdict.promises.find(({ promise }) => promise === "leaks")?.examples ?? [];
}

test("leak detection: a soak without a leak can be judged, and finds none", async () => {
  const { verdict } = await soak("clean", []);
  assert.equal(verdict.lack, null);
  assert.deepEqual(leaksOf(verdict), []);
  assert.deepEqual(
    verdict.promises.filter(({ promise, times }) => times > 0 && !BUSY.has(promise)),
    [],
  );
});

for (const [name, expected] of Object.entries(NAMES)) {
  test(`leak detection: a seeded leak (${name}) is found and named`, async (context) => {
    const { status, verdict } = await soak(name, ["--seed-leak", name]);
    const leaks = leaksOf(verdict);
    context.diagnostic(leaks[0] ?? "");
    assert.match(leaks.join("\n"), expected);
    assert.equal(status, 1);
  });
}
