import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Block, blocksOf } from "../helpers/page-blocks.ts";
import { Program } from "../helpers/program.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const DEMO = "127.0.0.1:8080";
/** The longest that a block may take to print what it should. */
const WITHIN_MS = 20_000;

/** What a browser has and Node does not: an EventSource with the page's cookies, and addresses without an origin. */
const BROWSER = `
import { EventSource as Source } from "eventsource";
const origin = "http://${DEMO}";
const cookies = [];
const cookied = async (url, init = {}) => {
  const headers = { ...init.headers, cookie: cookies.join("; "), origin };
  const response = await globalThis.fetch(new URL(url, origin), { ...init, headers });
  for (const cookie of response.headers.getSetCookie()) cookies.push(cookie.split(";", 1)[0]);
  return response;
};
class EventSource extends Source {
  constructor(url) { super(new URL(url, origin), { fetch: cookied }); }
}
const fetch = cookied;
`;

let demo: Program;
let host = "";
before(async () => {
  demo = new Program(["demo", "--port", "0", "--reset-seconds", "0"]);
  const [, url = ""] = await demo.printed(/running at http:\/\/(127\.0\.0\.1:\d+)/);
  host = url;
});
after(() => demo[Symbol.asyncDispose]());

for (const page of ["docs/consuming.md", "docs/publishing.md"]) {
  const blocks = blocksOf(page);
  for (const [index, block] of blocks.entries()) {
    if (block.until === null) continue;
    test(`docs: ${page}, the block of line ${block.line} does what it says`, () => {
      const setup = blocks.slice(0, index).filter(({ isSetup }) => isSetup);
      return printsWhatItShould(block, setup.map(({ code }) => code).join("\n"));
    });
  }

  test(`docs: ${page} has blocks that run, and each of JavaScript is one`, () => {
    assert.ok(blocks.filter(({ until }) => until !== null).length >= 2);
    for (const { language, until, line } of blocks)
      assert.ok(!language.startsWith("js") || until !== null, `line ${line} is not run`);
  });
}

async function printsWhatItShould({ language, code, until }: Block, setup: string): Promise<void> {
  const at = (text: string) => text.replaceAll(DEMO, host);
  const child =
    language === "sh"
      ? start("bash", ["-c", at(`${setup}\n${code}`)])
      : start(process.execPath, [
          "--input-type=module",
          "-e",
          at(language === "js browser" ? `${BROWSER}{\n${code}\n}` : code),
        ]);
  let printed = "";
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not printed: ${until}`)), WITHIN_MS);
      const look = (isOver: boolean) => {
        if (until?.test(printed) === true) resolve();
        else if (isOver) reject(new Error(`it ended without printing ${until}`));
        else return;
        clearTimeout(timer);
      };
      for (const stream of [child.stdout, child.stderr])
        stream?.setEncoding("utf8").on("data", (text: string) => {
          printed += text;
          look(false);
        });
      child.once("close", () => look(true));
    });
  } catch (error) {
    assert.fail(`${(error as Error).message}\n${printed}`);
  } finally {
    // With whatever the shell has started.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  }
}

function start(command: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, NODE_OPTIONS: "" };
  return spawn(command, args, { cwd: ROOT, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
}
