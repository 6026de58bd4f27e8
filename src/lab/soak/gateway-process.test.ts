import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SystemClock } from "#base/system-clock.ts";
import type { SeededLeak } from "../leaks/seed-names.ts";
import { ask } from "./ask.ts";
import { type ClientOwner, type Door, SoakClient } from "./client.ts";
import { readFindings } from "./findings.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { Metrics } from "./metrics-text.ts";
import { Station } from "./station.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-soak-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const clock = new SystemClock();

async function stationOf(seedLeak: SeededLeak | null): Promise<Station> {
  // Nothing answers there: this gateway has no feed.
  const dir = mkdtempSync(join(directory, "run-"));
  return new Station({ dir, feedPort: 9, seedLeak, livesBefore: 0, tokenMs: 60_000 }, clock);
}

/** So many come, are let in and leave, a few at a time. */
async function comeAndGo(door: Door, count: number): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      while (left-- > 0) await visit(door, index % 2 === 0 ? "sse" : "websocket");
    }),
  );
}

async function visit(door: Door, transport: "sse" | "websocket"): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const owner: ClientOwner = {
      letIn: () => {
        client.end("reset");
        resolve();
      },
      notLetIn: (why) => reject(new Error(why)),
      told: () => {},
      event: () => {},
      cut: (code, why) => reject(new Error(`cut: ${code} ${why}`)),
    };
    const client = new SoakClient(owner, transport, "/news/soak", null, door, Math.random);
  });
}

/** Resolves when the gateway holds no connection and no socket of one. */
async function gone(gateway: GatewayProcess): Promise<void> {
  while ((await gateway.sample(null)).books.sockets !== 0) {}
}

test("lab's door: a gateway's books can be read from within, and its end is an orderly one", async () => {
  await using station = await stationOf(null);
  await station.start(false);
  const { gateway, door } = station;
  assert.ok(gateway !== null && door !== null);
  await comeAndGo(door, 40);
  await gone(gateway);
  const sample = await gateway.sample(0);
  assert.deepEqual([sample.opened, sample.closed, sample.reclaimed], [40, 40, 0]);
  assert.ok(sample.heapUsed > 1e6 && Object.values(sample.classes).length === 1);
  const { body } = await ask(door, "GET", "/metrics", null, 5000, clock);
  assert.equal(new Metrics(body).sum("streamkeeper_connections_opened_total"), 40);
  assert.equal(await station.drain(), null);
  assert.deepEqual(gateway.errors, []);
});

test("lab's door: a certificate is renewed under TLS, and clients that trust both come in before and after", async () => {
  await using station = await stationOf(null);
  await station.start(true);
  assert.ok(station.door !== null);
  await comeAndGo(station.door, 4);
  const { ca } = station.door;
  await station.renew(async (door) => {
    assert.notEqual(door.ca, ca);
    await comeAndGo(door, 4);
  });
  await comeAndGo(station.door, 4);
  assert.equal(await station.drain(), null);
});

test("leak detection: a seeded leak (a closure, and the connection that it holds) is found and named by its list", async () => {
  await using station = await stationOf("closure");
  await station.start(false);
  const { gateway, door } = station;
  assert.ok(gateway !== null && door !== null);
  const [before, afterwards] = [
    join(directory, "before.heapsnapshot"),
    join(directory, "after.heapsnapshot"),
  ];
  // As many as the dashboard remembers of those that ended.
  await comeAndGo(door, 1050);
  await gone(gateway);
  await gateway.snapshot(before);
  await comeAndGo(door, 200);
  await gone(gateway);
  await gateway.snapshot(afterwards);
  const pair = { atMs: 0, life: 1, before, after: afterwards, connections: 200, suspected: [] };
  const [finding] = await readFindings([pair]);
  const [holder] = finding?.holders ?? [];
  assert.equal(holder?.count, 200);
  assert.match(
    holder?.steps.join(" ") ?? "",
    /\.leaked → Object \.closures → Array \[\] → leakedClosure\(\)$/,
  );
});
