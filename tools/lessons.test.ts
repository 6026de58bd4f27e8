import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ROOT } from "./source.ts";

/** As many as the research lists. */
const LESSONS = 40;

const rows = readFileSync(`${ROOT}docs/lessons.md`, "utf8")
  .split("\n")
  .flatMap((line) => {
    const cells = /^\| (\d+) \| (.*) \| (.*) \| (.*) \|$/.exec(line);
    return cells === null ? [] : [{ number: Number(cells[1]), proof: cells[4] as string }];
  });

test("docs/lessons.md: has each of the lessons once, in order", () => {
  assert.deepEqual(
    rows.map(({ number }) => number),
    Array.from({ length: LESSONS }, (_, index) => index + 1),
  );
});

test("docs/lessons.md: every test that it names is in the file that it names, and only what says so is open", () => {
  const wrong = rows.flatMap(({ number, proof }) => {
    if (/^open: ./.test(proof)) return [];
    return proof.split("<br>").flatMap((named) => {
      const [, file, name] = /^`([^`]+\.test\.ts)`: (.+)$/.exec(named) ?? [];
      if (file === undefined || name === undefined) return [`${number}: names no test: ${named}`];
      if (!existsSync(ROOT + file)) return [`${number}: ${file} does not exist`];
      const source = readFileSync(ROOT + file, "utf8");
      const isThere = ['"', "`"].some((quote) => source.includes(`${quote}${name}${quote}`));
      return isThere ? [] : [`${number}: ${file} has no test "${name}"`];
    });
  });
  assert.deepEqual(wrong, []);
});
