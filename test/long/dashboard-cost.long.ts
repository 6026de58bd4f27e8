/**
 * What the dashboard costs a gateway with ten thousand connections: its CPU in phases with the page open and without, in
 * turns; and whether the table of connections scrolls smoothly. Prints figures; exit status 1: a promise was broken.
 *
 *     npm run test:dashboard [-- --connections N --rounds N --seconds S]
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium, type Page } from "playwright-core";
import { SystemClock } from "#base/system-clock.ts";
import { Program } from "../helpers/program.ts";
import { passed } from "./support/waiting.ts";
import { wholeNumber } from "./support/whole-number.ts";

const clock = new SystemClock();
const CORE_SHARE_MAX = 0.03;
/** Share of frames, while the table is scrolled, that may take longer than 50 ms. */
const SLOW_FRAMES_MAX = 0.05;
const TICKS_PER_SECOND = 100;
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    rounds: { type: "string", default: "4" },
    seconds: { type: "string", default: "10" },
  },
});
const connections = wholeNumber(values, "connections");
const rounds = wholeNumber(values, "rounds");
const seconds = wholeNumber(values, "seconds");
if (CHROMIUM === undefined) throw new Error("this needs Chromium");

const directory = await mkdtemp(join(tmpdir(), "streamkeeper-"));
try {
  process.exitCode = (await run(directory)) ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function run(cwd: string): Promise<boolean> {
  const config = join(cwd, "streamkeeper.yaml");
  await writeFile(
    config,
    `listen: { host: 127.0.0.1, port: 0 }
database: sqlite:gateway.db
auth:
  roles: { admin: { subscribe: ["*"], publish: ["*"], admin: true } }
limits: { connections: ${connections + 100}, connectionsPerAddress: ${connections + 100}, connectionsPerUser: ${connections + 100}, connectionsPerSecond: 5000 }
`,
  );
  const ask = async (args: string[], stdin = "") => {
    await using program = new Program([...args, "-c", config], { cwd, stdin });
    const { status, stdout, stderr } = await program.finished;
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  await ask(["user", "add", "root", "--role", "admin", "--password-stdin"], "a good password\n");
  const token = await ask(["token", "--role", "admin"]);
  await using gateway = new Program(["serve", "-c", config], { cwd });
  const [, url = ""] = await gateway.printed(/"url":"(http[^"]+)"/);
  const [, pid = ""] = await gateway.printed(/"pid":(\d+)[^\n]*"listening"/);
  const half = String(connections / 2);
  const secondsInAll = rounds * seconds * 3 + 90;
  const load = ["load", "--url", url, "--sse", half, "--websocket", half, "--events", "0", "--verbose"];
  await using _load = new Program([...load, "--duration", `${secondsInAll}s`], {
    cwd,
    env: { STREAMKEEPER_LOAD_TOKEN: token },
  });
  await opened(url, token);

  const browser = await chromium.launch({ executablePath: CHROMIUM as string, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(`${url}/admin/`);
    await page.getByLabel("User").fill("root");
    await page.getByLabel("Password").fill("a good password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    const cost: Record<"without" | "overview" | "connections", number[]> = {
      without: [],
      overview: [],
      connections: [],
    };
    for (let round = 0; round < rounds; round++) {
      for (const name of ["without", "overview", "connections"] as const) {
        await page.goto(name === "without" ? "about:blank" : `${url}/admin/#/${name}`);
        if (name !== "without") await page.locator("main h1").waitFor();
        cost[name].push(await coreShare(pid));
      }
    }
    const without = median(cost.without);
    const frames = await scrolled(page);
    const rows = (["overview", "connections"] as const).map((name) => ({
      name,
      share: median(cost[name]) - without,
    }));
    const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
    console.log(`connections ${connections}; gateway without the dashboard ${percent(without)} of a core`);
    for (const { name, share } of rows) {
      console.log(`${name}: ${percent(share)} of a core more (at most ${percent(CORE_SHARE_MAX)})`);
    }
    console.log(
      `scrolling: ${frames.all} frames, ${frames.slow} over 50 ms, the longest ${Math.round(frames.longestMs)} ms`,
    );
    const isCheap = rows.every(({ share }) => share < CORE_SHARE_MAX);
    const isSmooth = frames.slow <= frames.all * SLOW_FRAMES_MAX;
    return isCheap && isSmooth;
  } finally {
    await browser.close();
  }
}

async function opened(url: string, token: string): Promise<void> {
  for (const deadline = performance.now() + 120_000; performance.now() < deadline; ) {
    const response = await fetch(`${url}/admin/api/v1/connections?limit=1`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { open } = (await response.json()) as { open: number };
    if (open >= connections) return;
    await passed(clock, 250);
  }
  throw new Error("the connections were not opened in time");
}

/** What share of a core the gateway used over one phase. */
async function coreShare(pid: string): Promise<number> {
  const before = ticksOf(pid);
  const startedMs = performance.now();
  await passed(clock, seconds * 1000);
  return (ticksOf(pid) - before) / TICKS_PER_SECOND / ((performance.now() - startedMs) / 1000);
}

/** User and system time of a process, in ticks (proc(5)). */
function ticksOf(pid: string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** Scrolls the table through its rows for three seconds, and times the frames. */
async function scrolled(page: Page): Promise<{ all: number; slow: number; longestMs: number }> {
  await page.locator(".table-body .row").first().waitFor();
  return page.evaluate(`new Promise((resolve) => {
    const box = document.querySelector(".table-box");
    const startedMs = performance.now();
    let lastMs = startedMs;
    const found = { all: 0, slow: 0, longestMs: 0 };
    const frame = (nowMs) => {
      const tookMs = nowMs - lastMs;
      lastMs = nowMs;
      if (found.all++ > 0) {
        if (tookMs > 50) found.slow++;
        found.longestMs = Math.max(found.longestMs, tookMs);
      }
      box.scrollTop += 120;
      if (nowMs - startedMs < 3000) requestAnimationFrame(frame);
      else resolve(found);
    };
    requestAnimationFrame(frame);
  })`);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
