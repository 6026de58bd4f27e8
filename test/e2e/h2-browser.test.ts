import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { until } from "../helpers/feed-server.ts";
import { openGateway } from "../helpers/gateway.ts";
import { required } from "../helpers/required.ts";

const FIXTURES = new URL("../fixtures/tls/", import.meta.url).pathname;
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(
  existsSync,
);
/** More than the six connections that a browser opens to one origin over HTTP/1.1. */
const STREAMS = 12;

test("HTTP/2: Chromium has twelve EventSources at once on one session, and resumes each after a cut", {
  skip: required("Chromium", CHROMIUM !== undefined),
}, async () => {
  await using gateway = await openGateway(`tls: { cert: ${FIXTURES}good.crt, key: ${FIXTURES}good.key }`);
  const relayed = new Set<Socket>();
  // A network between the two, which can be cut: the browser then comes back by itself in a second or three.
  const network = createServer((socket) => {
    const onward = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      from.on("error", () => {}).once("close", () => to.destroy());
      from.pipe(to);
      relayed.add(from);
    }
  });
  await new Promise<void>((resolve) => network.listen(0, "127.0.0.1", resolve));
  const origin = `https://localhost:${(network.address() as AddressInfo).port}`;
  const browser = await chromium.launch({
    executablePath: CHROMIUM ?? "/usr/bin/chromium",
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
      ...["--no-first-run", "--ignore-certificate-errors"],
    ],
  });
  try {
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await page.goto(`${origin}/nothing`);
    await page.evaluate(
      ([url, count]) => {
        const seen: string[][] = [];
        Object.assign(globalThis, { seen });
        for (let index = 0; index < count; index++) {
          seen.push([]);
          const source = new EventSource(`${url}${index}`);
          source.onmessage = ({ data }) => void seen[index]?.push(data);
        }
      },
      [`${origin}/.well-known/mercure?match=/public/`, STREAMS] as [string, number],
    );
    const open = (count: number) =>
      until("the streams", () => gateway.stats().connections.sse === count, 20_000);
    const publish = (data: string) => {
      for (let index = 0; index < STREAMS; index++)
        gateway.hub.publish({ topics: [`/public/${index}`], data });
    };
    const seenBy = (count: number) =>
      page.waitForFunction(
        (events) =>
          (globalThis as unknown as { seen: string[][] }).seen.every(({ length }) => length >= events),
        count,
        { timeout: 30_000 },
      );
    await open(STREAMS);
    assert.equal(gateway.stats().sessions, 1, "one session carries them all");
    publish("before");
    await seenBy(1);
    for (const socket of relayed) socket.destroy();
    await open(0);
    publish("between");
    await seenBy(2);
    await open(STREAMS);
    publish("after");
    await seenBy(3);
    const seen = await page.evaluate(() => (globalThis as unknown as { seen: string[][] }).seen);
    assert.deepEqual(
      seen,
      Array.from({ length: STREAMS }, () => ["before", "between", "after"]),
    );
  } finally {
    await browser.close();
    network.close();
    for (const socket of relayed) socket.destroy();
  }
  await until("nobody", () => gateway.stats().sessions === 0 && gateway.stats().sockets === 0);
});
