import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { FeedServer } from "../helpers/feed-server.ts";
import { feedYaml, openGateway, PASSWORD } from "../helpers/gateway.ts";
import { required } from "../helpers/required.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);

test("browser: Chromium's own EventSource signs in by cookie, gets events, and resumes after a cut without loss", {
  skip: required("Chromium", CHROMIUM !== undefined),
}, async () => {
  await using feed = await FeedServer.open();
  await using gateway = await openGateway(feedYaml(`${feed.origin}/quotes?symbols={keys}`));
  const browser = await chromium.launch({
    executablePath: CHROMIUM as string,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--no-first-run",
    ],
  });
  try {
    const page = await browser.newPage();
    // Cookies with a __Secure- prefix are kept on `localhost`, which browsers trust, without TLS.
    const origin = gateway.url.replace("127.0.0.1", "localhost");
    await page.goto(`${origin}/healthz`);
    const status = await page.evaluate(
      async ([login, password]) =>
        (
          await fetch("/auth/login", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ login, password }),
          })
        ).status,
      ["ann", PASSWORD],
    );
    assert.equal(status, 200);
    await page.evaluate(() => {
      const state = { prices: [] as number[], opened: 0 };
      Object.assign(globalThis, { state });
      const source = new EventSource("/.well-known/mercure?match=/quotes/AAPL");
      source.onopen = () => void state.opened++;
      source.onmessage = (event) => void state.prices.push(JSON.parse(event.data).price);
    });
    const waitFor = (opened: number, prices: number) =>
      page.waitForFunction(
        ([opens, count]) => {
          const { state } = globalThis as unknown as { state: { prices: number[]; opened: number } };
          return state.opened >= opens && state.prices.length >= count;
        },
        [opened, prices] as [number, number],
        { timeout: 20_000 },
      );
    await waitFor(1, 0);
    await feed.streaming("AAPL");
    for (let price = 1; price <= 3; price++) feed.publish("AAPL", { price });
    await waitFor(1, 3);
    gateway.cutConnections();
    for (let price = 4; price <= 6; price++) feed.publish("AAPL", { price });
    await waitFor(2, 6);
    feed.publish("AAPL", { price: 7 });
    await waitFor(2, 7);
    const prices = await page.evaluate(
      () => (globalThis as unknown as { state: { prices: number[] } }).state.prices,
    );
    assert.deepEqual(prices, [1, 2, 3, 4, 5, 6, 7]);
  } finally {
    await browser.close();
  }
});
