import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { chromium, type Page } from "playwright-core";
import type { Gateway } from "#app/gateway.ts";
import { FeedServer } from "../helpers/feed-server.ts";
import { feedYaml, openGateway, PASSWORD } from "../helpers/gateway.ts";
import { required } from "../helpers/required.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);

const skip = required("Chromium", CHROMIUM !== undefined);

test("browser: Chromium's own EventSource signs in by cookie, gets events, and resumes after a cut without loss", {
  skip,
}, async () => {
  await using feed = await FeedServer.open();
  await using gateway = await openGateway(
    feedYaml(`${feed.origin}/quotes?symbols={keys}`, "state: none", "30s"),
  );
  // Cookies with a __Secure- prefix are kept on `localhost`, which browsers trust, without TLS.
  const origin = gateway.url.replace("127.0.0.1", "localhost");
  await follow({ feed, gateway, page: `${origin}/no-page-is-needed`, origin });
});

test("browser: a page of another origin that is listed does the same, one that is not gets nothing", {
  skip,
}, async () => {
  await using feed = await FeedServer.open();
  const pages = createServer((_request, response) => response.end("a page"));
  await new Promise<void>((resolve) => pages.listen(0, "localhost", resolve));
  const page = `http://localhost:${(pages.address() as AddressInfo).port}`;
  try {
    await using gateway = await openGateway(
      feedYaml(`${feed.origin}/quotes?symbols={keys}`, "state: none", "30s"),
      {},
      `origins: ["${page}"]`,
    );
    await follow({ feed, gateway, page, origin: gateway.url.replace("127.0.0.1", "localhost") });
    await using stranger = await openGateway();
    await inChromium(page, async (foreign) => {
      const outcome = await foreign.evaluate(
        (url) => fetch(url, { credentials: "include" }).then(String, () => "refused"),
        `${stranger.url.replace("127.0.0.1", "localhost")}/.well-known/mercure?match=/quotes/AAPL`,
      );
      assert.equal(outcome, "refused");
    });
  } finally {
    pages.closeAllConnections();
    pages.close();
  }
});

interface Scene {
  readonly feed: FeedServer;
  readonly gateway: Gateway;
  /** Where the page is. */
  readonly page: string;
  /** Where the gateway is, for the page. */
  readonly origin: string;
}

/** Signs in, follows a topic through a cut, and finds every event once. */
async function follow({ feed, gateway, page: address, origin }: Scene): Promise<void> {
  await inChromium(address, async (page) => {
    const status = await page.evaluate(
      async ([url, login, password]) =>
        (
          await fetch(url, {
            method: "POST",
            credentials: "include",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ login, password }),
          })
        ).status,
      [`${origin}/auth/login`, "ann", PASSWORD] as [string, string, string],
    );
    assert.equal(status, 200);
    await page.evaluate((url) => {
      const state = { prices: [] as number[], opened: 0 };
      Object.assign(globalThis, { state });
      const source = new EventSource(url, { withCredentials: true });
      source.onopen = () => void state.opened++;
      source.onmessage = (event) => void state.prices.push(JSON.parse(event.data).price);
    }, `${origin}/.well-known/mercure?match=/quotes/AAPL`);
    const waitFor = (opened: number, prices: number) =>
      page.waitForFunction(
        ([opens, count]) => {
          const { state } = globalThis as unknown as { state: { prices: number[]; opened: number } };
          return state.opened >= opens && state.prices.length >= count;
        },
        [opened, prices] as [number, number],
        { timeout: 30_000 },
      );
    await waitFor(1, 0);
    await feed.streaming("AAPL");
    for (let price = 1; price <= 3; price++) feed.publish("AAPL", { price });
    await waitFor(1, 3);
    assert.equal(gateway.cutConnections(), 1);
    for (let price = 4; price <= 6; price++) feed.publish("AAPL", { price });
    await waitFor(2, 6);
    feed.publish("AAPL", { price: 7 });
    await waitFor(2, 7);
    const prices = await page.evaluate(
      () => (globalThis as unknown as { state: { prices: number[] } }).state.prices,
    );
    assert.deepEqual(prices, [1, 2, 3, 4, 5, 6, 7]);
  });
}

async function inChromium(address: string, work: (page: Page) => Promise<void>): Promise<void> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM ?? "/usr/bin/chromium",
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
    await page.goto(address);
    await work(page);
  } finally {
    await browser.close();
  }
}
