import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "#base/random.ts";
import { type Group, judgeRejection, Quarantine } from "./quarantine.ts";

const SETTINGS = { paceMinMs: 250, paceMaxMs: 4000, againMs: 30_000, keysMax: 50 };

/** Asks a feed that rejects every request with a bad key in it, for as long as something is due. */
class Trial {
  readonly quarantine = new Quarantine<string>(SETTINGS);
  readonly good = new Set<string>();
  readonly requests: { readonly keys: readonly string[]; readonly atMs: number }[] = [];
  nowMs = 0;
  readonly #isBad: (key: string) => boolean;
  readonly #random = seededRandom(1);

  constructor(isBad: (key: string) => boolean) {
    this.#isBad = isBad;
  }

  reject(keys: readonly string[], asked = keys.length): void {
    const acceptsOthers = this.good.size > 0;
    this.quarantine.rejected({ keys, trace: "t" }, asked, acceptsOthers, this.nowMs, this.#random);
  }

  ask({ keys }: Group<string>): void {
    this.requests.push({ keys, atMs: this.nowMs });
    if (keys.some(this.#isBad)) {
      this.reject(keys);
      return;
    }
    for (const key of keys) this.good.add(key);
    this.quarantine.accepted();
  }

  /** Until nothing is due before the time, or nothing is suspected any more. */
  run(untilMs: number): void {
    for (;;) {
      const { dueMs } = this.quarantine;
      if (dueMs === null || dueMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, dueMs);
      const group = this.quarantine.next(this.nowMs);
      assert.ok(group !== null, "what is due is there");
      this.ask(group);
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  settle(): void {
    while (this.quarantine.hasSuspects) this.run(this.quarantine.dueMs ?? 0);
  }
}

const names = (count: number, prefix = "k") => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe("quarantine", () => {
  test("quarantine: one bad key among fifty is found in few requests, and the others flow within seconds", () => {
    const trial = new Trial((key) => key === "k17");
    trial.reject(names(50));
    trial.settle();
    assert.equal(trial.good.size, 49);
    assert.equal(trial.quarantine.convicted, 1);
    assert.ok(trial.requests.length <= 14, `${trial.requests.length} requests`);
    assert.ok(trial.nowMs < 5000, `${trial.nowMs} ms`);
  });

  test("quarantine: whatever keys are bad, in the end the good ones flow and the bad ones stand alone, in a bounded number of requests", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 50 }), (bad) => {
        const keys = names(bad.length);
        const trial = new Trial((key) => bad[Number(key.slice(1))] === true);
        if (!bad.includes(true)) bad[0] = true;
        trial.reject(keys);
        trial.settle();
        const good = keys.filter((_, n) => !bad[n]);
        assert.deepEqual([...trial.good].sort(), good.sort());
        assert.equal(trial.quarantine.convicted, keys.length - good.length);
        // Those that were convicted before the feed accepted anything are asked once more.
        assert.ok(trial.requests.length <= 4 * keys.length, `${trial.requests.length} requests`);
      }),
      { numRuns: 300 },
    );
  });

  test("quarantine: requests are paced, the more so while the feed accepts nothing", () => {
    const trial = new Trial(() => true);
    trial.reject(names(50));
    trial.run(600_000);
    const gaps = trial.requests.slice(1).map(({ atMs }, n) => atMs - (trial.requests[n]?.atMs ?? 0));
    assert.ok(Math.min(...gaps) >= SETTINGS.paceMinMs / 2, "never faster than the pace");
    assert.ok(Math.min(...gaps.slice(40)) >= SETTINGS.paceMaxMs / 2, "slower when all is rejected");
  });

  test("quarantine: a convicted key is asked for alone, again and again, and flows once it is accepted", () => {
    let isBad = true;
    const trial = new Trial((key) => key === "k0" && isBad);
    trial.reject(names(4));
    trial.settle();
    const before = trial.requests.length;
    trial.run(trial.nowMs + 10 * SETTINGS.againMs);
    const again = trial.requests.slice(before);
    assert.ok(again.length >= 9 && again.length <= 11, `${again.length} requests`);
    assert.ok(again.every(({ keys }) => keys.length === 1));
    isBad = false;
    trial.run(trial.nowMs + SETTINGS.againMs);
    assert.ok(trial.good.has("k0"));
    assert.equal(trial.quarantine.dueMs, null);
  });

  test("quarantine: many convicted keys together ask no more often than the slowest pace", () => {
    const trial = new Trial((key) => key.startsWith("bad"));
    trial.ask({ keys: ["good"], trace: "" });
    for (const key of names(500, "bad")) trial.reject([key], 1);
    trial.run(600_000);
    assert.ok(trial.requests.length <= 600_000 / SETTINGS.paceMaxMs + 2, `${trial.requests.length} requests`);
  });

  test("quarantine: a feed that rejected everything for a while gets all keys back as soon as it accepts one", () => {
    let isDown = true;
    const trial = new Trial(() => isDown);
    trial.reject(names(20));
    trial.run(300_000);
    assert.equal(trial.quarantine.convicted, 20);
    isDown = false;
    trial.run(trial.nowMs + SETTINGS.againMs);
    trial.settle();
    assert.equal(trial.good.size, 20);
    assert.equal(trial.quarantine.convicted, 0);
    assert.deepEqual(trial.requests.at(-1)?.keys.length, 19, "together, by one request");
  });

  test("quarantine: a key that is let go is asked for no more, and wanted again at once it disturbs nobody", () => {
    const trial = new Trial((key) => key === "bad");
    trial.ask({ keys: ["good"], trace: "" });
    trial.reject(["bad"], 1);
    trial.quarantine.release("bad");
    assert.equal(trial.quarantine.dueMs, null);
    assert.ok(trial.quarantine.detain("bad", "", trial.nowMs + 1000), "convicted without a new request");
    trial.quarantine.release("bad");
    assert.equal(
      trial.quarantine.detain("bad", "", trial.nowMs + SETTINGS.againMs),
      false,
      "its time is over",
    );
    trial.reject(["a", "b", "c"]);
    for (const key of ["a", "b", "c"]) trial.quarantine.release(key);
    assert.equal(trial.quarantine.dueMs, null);
  });
});

describe("rejected link", () => {
  const link = (proven: string, unproven: string, rest: Partial<Parameters<typeof judgeRejection>[0]> = {}) =>
    judgeRejection({
      keys: [
        ...[...proven].map((key) => ({ key, proven: true })),
        ...[...unproven].map((key) => ({ key, proven: false })),
      ],
      gone: 0,
      isProbe: false,
      rejections: 1,
      acceptsOthers: false,
      othersWait: false,
      ...rest,
    });

  test("rejected link: keys that were accepted before stay together, the others are suspected", () => {
    assert.deepEqual(link("AB", "XY"), { do: "part", keep: ["A", "B"], suspects: ["X", "Y"] });
  });

  test("rejected link: new keys are all suspected, a single one only if it is in somebody's way", () => {
    assert.deepEqual(link("", "XY"), { do: "part", keep: [], suspects: ["X", "Y"] });
    assert.deepEqual(link("", "X"), { do: "stay" });
    assert.deepEqual(link("", "X", { othersWait: true }), { do: "part", keep: [], suspects: ["X"] });
    assert.deepEqual(link("", "X", { acceptsOthers: true }), { do: "part", keep: [], suspects: ["X"] });
  });

  test("rejected link: what was let go meanwhile is to blame before keys that were accepted once", () => {
    assert.deepEqual(link("AB", "", { gone: 1 }), { do: "part", keep: ["A", "B"], suspects: [] });
    assert.deepEqual(link("A", "X", { gone: 1 }), { do: "part", keep: ["A"], suspects: ["X"] });
  });

  test("rejected link: of accepted keys alone the feed is to blame, once, unless it accepts others", () => {
    assert.deepEqual(link("AB", ""), { do: "stay" });
    assert.deepEqual(link("AB", "", { rejections: 2 }), { do: "part", keep: [], suspects: ["A", "B"] });
    assert.deepEqual(link("AB", "", { acceptsOthers: true }), { do: "part", keep: [], suspects: ["A", "B"] });
  });
});
