import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { MercureServer } from "../helpers/mercure-server.ts";
import { required } from "../helpers/required.ts";

const CHROMIUM = "/usr/bin/chromium";
const skip = required("Chromium", existsSync(CHROMIUM));

test("browser: an EventSource that never got an event resumes exactly from a heartbeat's cursor", {
  skip,
}, async () => {
  await using server = await MercureServer.open();
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}/a-page`);
    await page.evaluate(`
      globalThis.messages = [];
      const source = new EventSource("/.well-known/mercure?match=/public/a");
      source.onmessage = ({ lastEventId, data }) => messages.push(lastEventId + " " + data);
      new Promise((resolve) => { source.onopen = resolve; });
    `);
    server.publish("/other", "noise");
    // With the heartbeat the cursor moves on, past the noise.
    server.clock.advance(26_000);
    server.registry.closeWhere(() => true, "token_expired");
    server.publish("/public/a", "while it was away");
    const resumed = new Promise<string | undefined>((resolve) => {
      server.server.once("request", ({ headers }) => resolve(headers["last-event-id"] as string | undefined));
    });
    assert.equal(await resumed, "#e.1");
    await page.waitForFunction("messages.length > 0");
    assert.deepEqual(await page.evaluate("messages"), ["#e.2 while it was away"]);
  } finally {
    await browser.close();
  }
});
