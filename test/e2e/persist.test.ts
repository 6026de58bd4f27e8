import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { kills, restarts } from "../helpers/persist-scenes.ts";

const root = mkdtempSync(join(tmpdir(), "streamkeeper-persist-"));
after(() => rmSync(root, { recursive: true, force: true }));

test("log.persist: across restarts every client has every event of publishers and feeds once and in order, and none is told of a gap", () =>
  restarts(join(root, "restarts"), 2));

test("log.persist: killed while events flow, every client has all of them in order or is told; killed in quiet, none is told", () =>
  kills(join(root, "kills"), 2));
