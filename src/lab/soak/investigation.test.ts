import assert from "node:assert/strict";
import { test } from "node:test";
import type { InsideSample } from "../leaks/door-protocol.ts";
import { Investigation } from "./investigation.ts";
import type { Line, Note, Sample } from "./sample.ts";

/** A gateway that has every look and snapshot at once. */
class Gateway {
  readonly files: string[] = [];
  opened = 10_000;

  async sample(): Promise<InsideSample> {
    return { opened: this.opened } as InsideSample;
  }

  async snapshot(file: string): Promise<void> {
    this.files.push(file);
  }
}

/** One sitting of a short run, past its end: two calms, in each of which a snapshot is wanted. */
async function sit(
  life: number,
  dir: string,
  journal: Line[],
): Promise<{ files: string[]; sitting: Investigation }> {
  const gateway = new Gateway();
  const station = { gateway, lives: life, lifeMs: 60_000 };
  const note = (what: Note["what"], text: string) => journal.push({ kind: "note", atMs: 0, what, text });
  const options = { warmUpMs: 20_000, isShort: true };
  const sitting = new Investigation(station, dir, journal, options, note);
  sitting.conclude(0);
  for (const atMs of [1000, 2000]) {
    await sitting.lookInCalm(atMs);
    gateway.opened += 5000;
  }
  return { files: gateway.files, sitting };
}

test("investigation: a pair of snapshots outlives its sitting, and says of which life it is, wherever the directory is by then", async () => {
  const journal: Line[] = [];
  const { files, sitting } = await sit(3, "/before", journal);
  assert.deepEqual(files, [
    "/before/suspicion-1-before.heapsnapshot",
    "/before/suspicion-1-after.heapsnapshot",
  ]);
  const [pair] = sitting.pairs;
  assert.deepEqual([pair?.life, pair?.connections], [3, 5000]);
  const resumed = await sit(4, "/after", JSON.parse(JSON.stringify(journal)));
  // It has its pair, of the run's end, and needs no other.
  assert.deepEqual(resumed.files, []);
  assert.deepEqual(resumed.sitting.pairs, [
    {
      ...pair,
      before: "/after/suspicion-1-before.heapsnapshot",
      after: "/after/suspicion-1-after.heapsnapshot",
    },
  ]);
});

test("investigation: a resumed run numbers its pairs on, so that no snapshot of an earlier sitting is overwritten", async () => {
  const journal: Line[] = [];
  await sit(1, "/run", journal);
  const gateway = new Gateway();
  const station = { gateway, lives: 2, lifeMs: 3_600_000 };
  const resumed = new Investigation(station, "/run", journal, { warmUpMs: 0, isShort: false }, () => {});
  for (let minute = 20; minute < 36; minute++) resumed.consider(grown(minute));
  await resumed.lookInCalm(3_600_000);
  assert.deepEqual(gateway.files, ["/run/suspicion-2-before.heapsnapshot"]);
});

/** A sample of a gateway that leaks a kilobyte with each connection. */
function grown(minute: number): Sample {
  const opened = minute * 1000;
  const inside = {
    heapUsed: 40e6 + opened * 1000,
    external: 0,
    malloced: 0,
    books: {},
    opened,
    resources: {},
  };
  const atMs = minute * 60_000;
  return {
    kind: "sample",
    atMs,
    life: 2,
    lifeMs: atMs,
    inside: { ...inside, classes: {} },
    outside: null,
  } as unknown as Sample;
}
