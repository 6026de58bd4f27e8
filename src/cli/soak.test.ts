import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Program, run } from "../../test/helpers/program.ts";
import { pageTrouble } from "./page-file.ts";

const folder = mkdtempSync(join(tmpdir(), "streamkeeper-soak-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("soak command: a page that can't be written is refused before hours are spent, and a page that can is not made yet", async () => {
  writeFileSync(join(folder, "file"), "");
  const dir = join(folder, "refused");
  const html = join(folder, "file", "page.html");
  const { status, stderr } = await run(["soak", "--hours", "0.005", "--dir", dir, "--html", html]);
  assert.equal(status, 2);
  assert.match(stderr, /^error: --html: no page can be written there .*name a file in a folder/);
  assert.equal(existsSync(dir), false);
  assert.match(pageTrouble(folder) ?? "", /EISDIR/);
  const good = join(folder, "new", "page.html");
  assert.equal(pageTrouble(good), null);
  assert.equal(existsSync(good), false);
});

test("soak command: a page that can't be written at the end takes no report along", async () => {
  const dir = join(folder, "late");
  const html = join(folder, "late.html");
  const args = ["soak", "--hours", "0.005", "--compress", "1", "--dir", dir, "--html", html];
  await using program = new Program(args);
  await program.printed(/ life 1 /);
  mkdirSync(html);
  program.child.kill("SIGINT");
  const { status, stdout, stderr } = await program.finished;
  assert.equal(status, 1);
  assert.match(stdout, /^interrupted before its end; until then: every promise /);
  assert.match(stderr, /the page was not written \(EISDIR.*--resume with the same --dir/);
});
