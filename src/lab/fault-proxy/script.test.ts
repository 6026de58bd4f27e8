import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { inTurn, seededScript } from "./script.ts";

describe("fault script", () => {
  test("fault script: the same seed gives the same ends, each within 10 to 200 events", () => {
    const draw = (seed: number) => {
      const script = seededScript(seededRandom(seed), {
        kinds: ["reset", "silence", "truncate_inside_event"],
      });
      return Array.from({ length: 500 }, (_, index) => script(index));
    };
    assert.deepEqual(draw(1), draw(1));
    assert.notDeepEqual(draw(1), draw(2));
    const faults = draw(3).flat();
    const marks = faults.map((fault) => ("at" in fault && fault.at !== undefined ? fault.at : assert.fail()));
    const events = marks.map((mark) => ("events" in mark ? mark.events : assert.fail()));
    assert.equal(faults.length, 500);
    assert.ok(Math.min(...events) >= 10 && Math.min(...events) < 15);
    assert.ok(Math.max(...events) <= 200 && Math.max(...events) > 195);
    for (const kind of ["reset", "silence", "truncate"]) {
      const share: number = faults.filter((fault) => fault.do === kind).length / faults.length;
      assert.ok(Math.abs(share - 1 / 3) < 0.1, `${kind}: ${share}`);
    }
  });

  test("fault script: by default every connection is reset between two events", () => {
    const [fault] = seededScript(seededRandom(1))(0);
    assert.equal(fault?.do, "reset");
  });

  test("fault script: connections get their scripts in turn, later ones none", () => {
    const script = inTurn([{ do: "reset" }], []);
    assert.deepEqual([script(0), script(1), script(2)], [[{ do: "reset" }], [], []]);
  });
});
