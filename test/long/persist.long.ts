import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { kills, restarts } from "../helpers/persist-scenes.ts";

// The long forms of test/e2e/persist.test.ts: `npm run test:persist`, a minute or two.

const root = mkdtempSync(join(tmpdir(), "streamkeeper-persist-"));
after(() => rmSync(root, { recursive: true, force: true }));

test("log.persist, ten restarts: every client has every event once and in order, and none is told of a gap", () =>
  restarts(join(root, "restarts"), 10));

test("log.persist, twenty kills: every client has every event in order or is told; in quiet times none is told", () =>
  kills(join(root, "kills"), 20));
