import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Gateway } from "#app/gateway.ts";
import { FeedServer, until } from "../helpers/feed-server.ts";
import { openGateway, PASSWORD, signIn } from "../helpers/gateway.ts";
import { required } from "../helpers/required.ts";
import { SseClient } from "../helpers/sse-client.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);
const BUILT = existsSync(new URL("../../dist/dashboard/index.html", import.meta.url));
const skip = required("Chromium", CHROMIUM !== undefined);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGES = ["overview", "feeds", "connections", "errors", "users", "try", "gateway"];

const yaml = (url: string) => `
feeds:
  quotes:
    url: ${url}/quotes?symbols={keys}
    topic: /quotes/{key}
    key: /symbol
    state: last
    access: public
    pool: { gather: 10ms, linger: 60s }
    retry: { min: 100ms, max: 300ms, resetAfter: 1s }
`;

let browser: Browser;
let feed: FeedServer;
let gateway: Gateway;

before(async () => {
  if (skip !== false) return;
  assert.ok(BUILT, "the dashboard is not built: npm run build");
  feed = await FeedServer.open();
  gateway = await openGateway(yaml(feed.origin));
  await gateway.addUser("root", PASSWORD, "admin");
  browser = await chromium.launch({ executablePath: CHROMIUM as string, args: ["--no-sandbox"] });
});

after(async () => {
  if (skip !== false) return;
  await browser.close();
  await gateway[Symbol.asyncDispose]();
  await feed[Symbol.asyncDispose]();
});

interface Opened extends AsyncDisposable {
  readonly page: Page;
  /** What the browser complained of. */
  readonly complaints: string[];
}

async function opened(options: Parameters<Browser["newPage"]>[0] = {}): Promise<Opened> {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${gateway.url}/admin/`);
  return { page, complaints, [Symbol.asyncDispose]: () => page.close() };
}

async function signedIn(options: Parameters<Browser["newPage"]>[0] = {}): Promise<Opened> {
  const seen = await opened(options);
  await enter(seen.page, "root", PASSWORD);
  await seen.page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  return seen;
}

async function enter(page: Page, user: string, password: string): Promise<void> {
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function go(page: Page, name: string): Promise<void> {
  await page.evaluate(`location.hash = "#/${name}"`);
  await page.locator("main h1").waitFor();
}

test("dashboard: a wrong password and a role without admin are told so, and a reload stays signed in", {
  skip,
}, async () => {
  await using seen = await opened();
  const { page } = seen;
  await enter(page, "root", "wrong");
  await page.getByText("Wrong user name or password").waitFor();
  await enter(page, "ann", PASSWORD);
  await page.getByRole("heading", { name: "Not for you" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await enter(page, "root", PASSWORD);
  await page.getByText(/All is well|Serving, but/).waitFor();
  await page.reload();
  await page.getByText(/All is well|Serving, but/).waitFor();
});

test("dashboard: a tab that is duplicated asks for a sign-in of its own, and the first one's session goes on", {
  skip,
}, async () => {
  await using seen = await signedIn();
  const { page } = seen;
  const [copy] = await Promise.all([
    page.context().waitForEvent("page"),
    page.evaluate("void window.open(location.href)"),
  ]);
  // What a browser copies to the new tab, as it does when a tab is duplicated.
  await copy.getByRole("button", { name: "Sign in" }).waitFor();
  assert.equal(await copy.evaluate("sessionStorage.length"), 0);
  await page.reload();
  await page.getByText(/All is well|Serving, but/).waitFor();
  await copy.close();
});

test("dashboard: Feeds shows a link's reset and that it healed; rotate and cut do what they say", {
  skip,
}, async () => {
  await using seen = await signedIn();
  const { page } = seen;
  const token = await signIn(gateway);
  using _follower = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();
  await feed.streaming("AAPL");
  await go(page, "feeds");
  await page.getByText("0 resets").first().waitFor();
  feed.resetAll();
  await page.getByText("1 reset ").first().waitFor();
  await page.getByText(/Last failure: reset/).waitFor();
  await page.locator(".state-open").first().waitFor();
  const band = page.getByRole("img", { name: /Link \d+: open since .*, lost 1 time in this time/ });
  await band.first().waitFor();
  assert.ok((await page.locator(".band-waiting").count()) > 1, "the loss is drawn, beside the legend");
  await page.getByRole("button", { name: /Cut link/ }).click();
  await page.getByRole("button", { name: "Cut it" }).click();
  await page.getByText(/was cut; another takes its place/).waitFor();
  assert.deepEqual(seen.complaints, []);
});

test("dashboard: Connections finds a client, closes it, and sees it come back", { skip }, async () => {
  await using seen = await signedIn();
  const { page } = seen;
  await using client = await browser.newPage();
  await client.goto(`${gateway.url}/no-page-is-needed`);
  // A browser's own EventSource, which comes back by itself.
  await client.evaluate(() => {
    Object.assign(globalThis, { opens: 0 });
    const source = new EventSource("/.well-known/mercure?match=/quotes/AAPL");
    source.onopen = () => {
      (globalThis as unknown as { opens: number }).opens++;
    };
  });
  await client.waitForFunction(() => (globalThis as unknown as { opens: number }).opens === 1);
  await go(page, "connections");
  await page.getByRole("button", { name: "Age" }).click();
  await page
    .getByRole("button", { name: /Show the connection of anonymous/ })
    .first()
    .click();
  await page.getByText("/quotes/AAPL").waitFor();
  await page.getByRole("button", { name: "Close, may come back" }).click();
  await page.getByText("Closed; its client may come back.").waitFor();
  await client.waitForFunction(() => (globalThis as unknown as { opens: number }).opens === 2);
  await page
    .getByRole("button", { name: /Show the connection of anonymous/ })
    .first()
    .waitFor();
  await page.getByRole("combobox", { name: "Show" }).selectOption("closed");
  await page.getByText("forced reconnect").first().waitFor();
  assert.deepEqual(seen.complaints, []);
});

for (const transport of ["SSE", "WebSocket"] as const) {
  test(`dashboard: Try it follows a topic by ${transport} through a cut, and misses nothing`, {
    skip,
  }, async () => {
    await using seen = await signedIn();
    const { page } = seen;
    await go(page, "try");
    await page.getByLabel("Topic").fill("/quotes/IBM");
    await page.getByLabel(transport, { exact: true }).check();
    await page.getByRole("button", { name: "Follow" }).click();
    await page.getByText("connected", { exact: true }).waitFor();
    await feed.streaming("IBM");
    feed.publish("IBM", { n: `${transport} before` });
    await page.getByText(`${transport} before`).waitFor();
    await page.getByRole("button", { name: "Cut the connection" }).click();
    await page.getByText("cut by you").waitFor();
    const { head } = gateway.hub;
    for (const n of [1, 2, 3]) feed.publish("IBM", { n: `${transport} away ${n}` });
    await until("the gateway has them", () => gateway.hub.head >= head + 3);
    await page.getByText("resumed: nothing was missed").waitFor();
    for (const n of [1, 2, 3]) {
      await page.getByText(`${transport} away ${n}`).waitFor();
      assert.equal(await page.getByText(`${transport} away ${n}`).count(), 1, "once");
    }
    assert.match((await page.locator(".facts .cursor").textContent()) ?? "", /^#?\w/);
    assert.deepEqual(seen.complaints, []);
  });
}

test("dashboard: every page, in both themes and at 360 px, has no serious fault for axe and fits the screen", {
  skip,
}, async () => {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 360]) {
      await using seen = await signedIn({ colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
      const { page } = seen;
      await page.evaluate(AXE);
      for (const name of PAGES) {
        await go(page, name);
        const beyond = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
        assert.ok(beyond <= 0, `${name} at ${width} px is ${beyond} px too wide`);
        const found = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as {
            axe: {
              run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }>;
            };
          };
          const { violations } = await axe.run();
          return violations
            .filter(({ impact }) => impact === "serious" || impact === "critical")
            .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
        });
        assert.deepEqual(found, [], `${name}, ${colorScheme}, ${width} px`);
      }
      assert.deepEqual(seen.complaints, []);
    }
  }
});

test("dashboard: by keyboard alone one signs in, goes to a page, and opens and leaves a dialogue", {
  skip,
}, async () => {
  await using seen = await opened();
  const { page } = seen;
  await page.getByLabel("User").waitFor();
  await page.keyboard.type("root");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  const focused = () => page.evaluate<string>("document.activeElement?.textContent?.trim() ?? ''");
  for (let n = 0; n < 20 && (await focused()) !== "Gateway"; n++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Gateway", level: 1 }).waitFor();
  for (let n = 0; n < 20 && !(await focused()).startsWith("Drain this"); n++)
    await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Drain this gateway?" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.match(await focused(), /^Drain this/, "the focus is back where it was");
});

test("dashboard: its pages bring their own policy, and nothing from elsewhere is asked for", {
  skip,
}, async () => {
  const response = await fetch(`${gateway.url}/admin/`);
  assert.match(
    response.headers.get("content-security-policy") ?? "",
    /default-src 'none'.*frame-ancestors 'none'/,
  );
  assert.equal((await fetch(`${gateway.url}/admin/../package.json`)).status, 404);
  assert.equal((await fetch(`${gateway.url}/admin/%2e%2e/package.json`)).status, 404);
  assert.equal((await fetch(`${gateway.url}/admin/assets/%2e%2e%2f%2e%2e%2fpackage.json`)).status, 404);
  await using seen = await opened();
  const asked: string[] = [];
  seen.page.on("request", (request) => asked.push(new URL(request.url()).origin));
  await enter(seen.page, "root", PASSWORD);
  await seen.page.getByRole("heading", { name: "Over time" }).waitFor();
  assert.deepEqual([...new Set(asked)], [gateway.url]);
});
