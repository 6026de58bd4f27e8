/**
 * Takes the README's picture of the dashboard: the demo with some clients, after its feed has reset a link or two.
 *
 *     node --conditions=streamkeeper-source test/long/dashboard-picture.ts
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { SystemClock } from "#base/system-clock.ts";
import { Program } from "../helpers/program.ts";
import { passed } from "./support/waiting.ts";

const clock = new SystemClock();
const PICTURES = fileURLToPath(new URL("../../docs/pictures/", import.meta.url));
const SYMBOLS = ["AAPL", "AMZN", "GOOG", "IBM", "MSFT"];
const CLIENTS = 40;
const LONG_ENOUGH_MS = 75_000;

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);
if (executablePath === undefined) throw new Error("this needs Chromium");
await mkdir(PICTURES, { recursive: true });
await using demo = new Program(["demo", "--port", "0", "--reset-seconds", "14"]);
const [, url = ""] = await demo.printed(/running at (http\S+)/);
const response = await fetch(`${url}/auth/login`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ login: "demo", password: "demo" }),
});
const { access_token: token } = (await response.json()) as { access_token: string };
const leave = new AbortController();
const authorization = `Bearer ${token}`;
for (let n = 0; n < CLIENTS; n++) {
  const path = `/.well-known/mercure?match=/quotes/${SYMBOLS[n % SYMBOLS.length]}`;
  void fetch(url + path, { headers: { authorization }, signal: leave.signal })
    .then((stream) => stream.body?.pipeTo(new WritableStream()))
    .catch(() => {});
}
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1240, height: 800 }, colorScheme: "light" });
  await page.goto(`${url}/admin/`);
  await page.getByLabel("User").fill("demo");
  await page.getByLabel("Password").fill("demo");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  await passed(clock, LONG_ENOUGH_MS);
  await page.screenshot({ path: `${PICTURES}dashboard.png` });
  await page.getByRole("link", { name: "Feeds" }).click();
  await page.getByLabel("Look back").selectOption("2");
  await page.locator(".band svg").first().waitFor();
  await passed(clock, 1500);
  await page.screenshot({ path: `${PICTURES}feeds.png` });
} finally {
  leave.abort();
  await browser.close();
}
