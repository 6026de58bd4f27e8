import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "#base/random.ts";
import {
  type LinkAction,
  type LinkInput,
  type LinkLife,
  newLinkLife,
  RETRY_AFTER_MS_MAX,
  stepLinkLife,
} from "./link-life.ts";
import { LINK_REASONS, LinkReason } from "./link-reason.ts";

const SETTINGS = {
  health: { connectTimeoutMs: 10_000, idleTimeoutMs: 45_000, rotateAfterMs: 100_000 },
  retry: { minMs: 250, maxMs: 30_000, resetAfterMs: 10_000 },
};

describe("link life", () => {
  test("link life: wanted, it dials once, however often it is wanted", () => {
    const life = new Driver();
    assert.deepEqual(life.give({ kind: "want" }), [
      { do: "arm", atMs: 10_000 },
      { do: "dial", generation: 1 },
    ]);
    assert.deepEqual(life.give({ kind: "want" }), []);
  });

  test("link life: windows double from the first retry up to the widest, jitter goes over the whole window", () => {
    for (const [chance, windows] of [
      [0, [0, 0, 0, 0, 0, 0, 0, 0, 0]],
      [0.5, [125, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]],
      [1, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
    ] as const) {
      const life = new Driver(() => chance);
      life.give({ kind: "want" });
      for (const windowMs of windows) {
        life.fail("refused");
        assert.equal(life.untilMs() - life.nowMs, windowMs);
        life.passUntilDue();
      }
    }
  });

  test("link life: backoff starts over only after a healthy while", () => {
    const life = new Driver(() => 1);
    life.give({ kind: "want" });
    for (let i = 0; i < 4; i++) {
      life.fail("refused");
      life.passUntilDue();
    }
    life.openNow();
    life.nowMs += SETTINGS.retry.resetAfterMs - 1;
    life.fail("reset");
    assert.equal(life.untilMs() - life.nowMs, 4000, "not yet healthy");
    life.passUntilDue();
    life.openNow();
    life.nowMs += SETTINGS.retry.resetAfterMs;
    life.fail("reset");
    assert.equal(life.untilMs() - life.nowMs, 250);
  });

  test("link life: retry sets the first window, within the configured bounds", () => {
    for (const [retryMs, windowMs] of [
      [2000, 2000],
      [0, 250],
      [999_999, 30_000],
    ] as const) {
      const life = new Driver(() => 1);
      life.give({ kind: "want" });
      life.openNow();
      life.give({ kind: "retry", generation: 1, retryMs });
      life.fail("ended");
      assert.equal(life.untilMs() - life.nowMs, windowMs);
    }
  });

  test("link life: Retry-After is a floor, bounded, with the jitter on top", () => {
    for (const [retryAfterMs, chance, delayMs] of [
      [20_000, 0, 20_000],
      [20_000, 1, 20_250],
      [10 * RETRY_AFTER_MS_MAX, 0, RETRY_AFTER_MS_MAX],
    ] as const) {
      const life = new Driver(() => chance);
      life.give({ kind: "want" });
      life.fail("busy", retryAfterMs);
      assert.equal(life.untilMs() - life.nowMs, delayMs);
    }
  });

  test("link life: every failing reason is retried, rejected or ended as its verdict says", () => {
    for (const reason of Object.values(LinkReason)) {
      const { verdict } = LINK_REASONS[reason];
      if (verdict === "own") continue;
      const life = new Driver(() => 0.5);
      life.give({ kind: "want" });
      life.fail(reason);
      const expected = { retry: "waiting", reject: "rejected", end: "ended" }[verdict];
      assert.equal(life.life.state.name, expected, reason);
      if (expected === "rejected") assert.equal(life.untilMs() - life.nowMs, 22_500, reason);
      if (expected === "ended") assert.equal(life.armedMs, null, reason);
    }
  });

  test("link life: ended by 204, it is asked again when wanted, at the pace of a failing one", () => {
    const life = new Driver(() => 1);
    life.give({ kind: "want" });
    for (const windowMs of [250, 500, 1000]) {
      life.fail("no_content");
      life.give({ kind: "want" });
      assert.equal(life.untilMs() - life.nowMs, windowMs);
      life.passUntilDue();
    }
  });

  test("link life: each phase of an attempt has its own time-out", () => {
    for (const phase of ["dns", "connect", "tls", "headers"] as const) {
      const life = new Driver();
      life.give({ kind: "want" });
      life.nowMs = 9999;
      assert.deepEqual(life.give({ kind: "due", phase, lastByteMs: 0 }), [{ do: "arm", atMs: 10_000 }]);
      life.nowMs = 10_000;
      const actions = life.give({ kind: "due", phase, lastByteMs: 0 });
      assert.deepEqual(actions[0], { do: "abort", reason: `timeout_${phase}` });
    }
  });

  test("link life: bytes put the idle time-out off", () => {
    const life = new Driver();
    life.give({ kind: "want" });
    life.openNow();
    life.nowMs = 45_000;
    assert.deepEqual(life.give({ kind: "due", phase: "headers", lastByteMs: 40_000 }), [
      { do: "arm", atMs: 85_000 },
    ]);
    life.nowMs = 85_000;
    const actions = life.give({ kind: "due", phase: "headers", lastByteMs: 40_000 });
    assert.deepEqual(actions[0], { do: "abort", reason: "idle_timeout" });
    assert.deepEqual(actions.at(-1), {
      do: "report",
      reason: "idle_timeout",
      wasOpen: true,
      livedMs: 85_000,
    });
  });

  test("link life: its age is told once for each opening, spread over the last tenth", () => {
    for (const chance of [0, 0.5, 0.999]) {
      const life = new Driver(() => chance);
      life.give({ kind: "want" });
      life.openNow();
      let told = 0;
      let toldAtMs = 0;
      for (let i = 0; i < 10; i++) {
        life.nowMs = life.armedMs ?? assert.fail("nothing armed");
        const actions = life.give({ kind: "due", phase: "headers", lastByteMs: life.nowMs });
        if (actions.some((action) => action.do === "aged")) {
          told++;
          toldAtMs = life.nowMs;
        }
      }
      assert.equal(told, 1);
      assert.ok(toldAtMs >= 90_000 && toldAtMs <= 100_000, `told at ${toldAtMs}`);
    }
  });

  test("link life: stopped, it is over for good, whatever comes", () => {
    const inputs: LinkInput[] = [
      { kind: "want" },
      { kind: "opened", generation: 1 },
      { kind: "failed", generation: 1, reason: "reset", retryAfterMs: null },
      { kind: "due", phase: "dns", lastByteMs: 0 },
      { kind: "stop", reason: "closed" },
    ];
    for (const before of [[], ["want"], ["want", "opened"], ["want", "failed"]] as const) {
      const life = new Driver();
      for (const kind of before) life.give(inputs.find((input) => input.kind === kind) ?? assert.fail());
      life.give({ kind: "stop", reason: "unwanted" });
      assert.equal(life.armedMs, null);
      for (const input of inputs) assert.deepEqual(life.give(input), []);
      assert.equal(life.life.state.name, "ended");
    }
  });

  test("link life: while wanted there is one timer; an attempt is under way or waited for; never two at once", () => {
    const generation = fc.integer({ min: -2, max: 0 });
    const input = fc.oneof(
      fc.constant({ kind: "want" } as const),
      fc.record({ kind: fc.constant("opened" as const), generation }),
      fc.record({
        kind: fc.constant("failed" as const),
        generation,
        reason: fc.constantFrom(
          ...Object.values(LinkReason).filter(
            (reason) => LINK_REASONS[reason].verdict !== "own" && reason !== "no_content",
          ),
        ),
        retryAfterMs: fc.option(fc.integer({ min: -1, max: 1e9 })),
      }),
      fc.record({ kind: fc.constant("retry" as const), generation, retryMs: fc.nat() }),
      fc.record({
        kind: fc.constant("due" as const),
        phase: fc.constant("dns" as const),
        lastByteMs: fc.constant(0),
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(input, fc.nat(60_000))), fc.nat(), (steps, seed) => {
        const life = new Driver(seededRandom(seed));
        life.give({ kind: "want" });
        for (const [each, afterMs] of steps) {
          life.nowMs += afterMs;
          // Generations are drawn relative to the current one, so that stale ones are as frequent as true ones.
          const given =
            "generation" in each ? { ...each, generation: each.generation + life.life.generation } : each;
          const isStale = "generation" in given && given.generation !== life.life.generation;
          const before = life.life;
          life.give(given);
          if (isStale) assert.equal(life.life, before, "stale generations are ignored");
          const { state } = life.life;
          assert.ok(state.name !== "idle" && state.name !== "ended");
          assert.equal(life.underWay, state.name === "connecting" || state.name === "open");
          assert.notEqual(life.armedMs, null);
          if (state.name === "waiting" || state.name === "rejected")
            assert.equal(life.armedMs, state.untilMs);
        }
      }),
    );
  });
});

/** Keeps the machine's state and performs its actions on paper. */
class Driver {
  nowMs = 0;
  life: LinkLife = newLinkLife(SETTINGS);
  armedMs: number | null = null;
  underWay = false;
  readonly #random: () => number;

  constructor(random: () => number = () => 0.5) {
    this.#random = random;
  }

  give(input: LinkInput): readonly LinkAction[] {
    const [life, actions] = stepLinkLife(this.life, input, SETTINGS, this.nowMs, this.#random);
    if (input.kind === "failed" && life !== this.life) this.underWay = false;
    this.life = life;
    for (const action of actions) {
      if (action.do === "arm") this.armedMs = action.atMs;
      if (action.do === "disarm") this.armedMs = null;
      if (action.do === "abort") {
        assert.ok(this.underWay, "only what is under way is aborted");
        this.underWay = false;
      }
      if (action.do === "dial") {
        assert.ok(!this.underWay, "never two attempts");
        this.underWay = true;
      }
    }
    return actions;
  }

  openNow(): void {
    this.give({ kind: "opened", generation: this.life.generation });
  }

  fail(reason: LinkReason, retryAfterMs: number | null = null): void {
    this.give({ kind: "failed", generation: this.life.generation, reason, retryAfterMs });
  }

  untilMs(): number {
    const { state } = this.life;
    return "untilMs" in state ? state.untilMs : assert.fail(`${state.name} waits for nothing`);
  }

  passUntilDue(): void {
    this.nowMs = this.untilMs();
    this.give({ kind: "due", phase: "dns", lastByteMs: 0 });
  }
}
