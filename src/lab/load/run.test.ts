import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { SystemClock } from "#base/system-clock.ts";
import { addLoadCommand } from "#cli/load.ts";
import { openFlawedHub } from "../../../test/helpers/flawed-hub.ts";
import { openGateway, signIn } from "../../../test/helpers/gateway.ts";
import { LOAD_PLAN } from "../../../test/helpers/load-plan.ts";
import { type LoadRequest, openLoad } from "./open.ts";
import { checkPlan, type LoadPlan, LoadUsageError } from "./plan.ts";
import { reportText } from "./report.ts";
import { reportPage } from "./report-page.ts";
import { type LoadRun, runLoad } from "./run.ts";
import { listenerPid, listeningInodes, serverUse } from "./server-process.ts";

const OF_MERCURE = { server: "mercure", websocket: 0, workers: 1, durationMs: 500 } as const;

const ONE_STREAM = { topics: 1, subscriptions: 1, publishers: 1 } as const;

const TLS = (name: string): string =>
  fileURLToPath(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url));

test("load: over TLS, every subscriber of a gateway of its own gets every event of its topics once, and the books are exact", async () => {
  const tls = { cert: TLS("good.crt"), key: TLS("good.key") };
  const { report, latencyUs } = await load({}, { tls, ca: TLS("ca.crt") });
  assert.deepEqual(report.faults, []);
  assert.ok(report.published.accepted > 50, `${report.published.accepted} accepted`);
  assert.equal(report.published.sent, report.published.accepted);
  // Three topics, of which each of 12 subscribers follows two: each event goes to eight, spread evenly.
  assert.equal(report.deliveries.count, latencyUs.count);
  const least = 8 * (report.published.accepted - 6);
  assert.ok(report.deliveries.count >= least, `${report.deliveries.count} of ${least}`);
  assert.equal(report.connections.held, 12);
  assert.equal(report.connectMs.count, 12);
  assert.equal(report.signInMs.count, 12);
  assert.ok((report.latencyMs.p50 ?? 0) > 0);
  assert.ok((report.cost.loadUs ?? 0) > 0 && (report.cost.serverUs ?? -1) >= 0);
  assert.ok((report.server.memoryBytesOpened ?? 0) > 1e7);
  assert.match(reportText(report), /12 held of 12[\s\S]*0 lost, 0 doubled[\s\S]*All is well\./);
  const page = reportPage(report, latencyUs);
  assert.match(page, /Nothing was lost/);
  assert.equal(page.match(/<svg /g)?.length, 7);
});

test("load: connections that churn and resume miss nothing, in large events too, beside slow readers", async () => {
  await using gateway = await openGateway();
  const environment = { STREAMKEEPER_LOAD_TOKEN: await signIn(gateway) };
  const plan = { churnPerSecond: 60, resumes: true, payloadBytes: 3000, slow: 4, slowBytesPerSecond: 5000 };
  const where = { url: gateway.url, environment, dialect: { topicPrefix: "/chat/" } };
  const { report } = await load({ ...plan, workers: 1 }, where);
  assert.deepEqual(report.faults, []);
  assert.ok(report.connections.churned >= 10, `${report.connections.churned} churned`);
  assert.ok(report.latencyMs.count < report.deliveries.count, "slow readers' latency is left out");
  assert.equal(report.server.pid, process.pid, "the server's process is found");
});

test("load: connections that churn without resuming miss only what goes by while they are away", async () => {
  await using gateway = await openGateway();
  const environment = { STREAMKEEPER_LOAD_TOKEN: await signIn(gateway) };
  const where = { url: gateway.url, environment, dialect: { topicPrefix: "/chat/" } };
  const { report } = await load(
    { churnPerSecond: 60, eventsPerSecond: null, durationMs: 300, workers: 1 },
    where,
  );
  assert.deepEqual(report.faults, []);
  assert.ok(report.connections.churned >= 5, `${report.connections.churned} churned`);
  assert.ok(report.published.accepted > 20, `${report.published.accepted} accepted`);
});

test("load: a hub that drops, doubles and moves events is found out, to the very numbers", async () => {
  await using hub = await openFlawedHub();
  const { report } = await load({ ...OF_MERCURE, ...ONE_STREAM, settleMs: 300 }, { url: hub.url });
  const { dropped, doubled, moved } = hub.flaws;
  assert.ok(dropped > 0 && doubled > 0 && moved > 0);
  assert.equal(report.ok, false);
  assert.deepEqual(report.faults, [
    `${dropped} deliveries were lost`,
    `${doubled} deliveries were doubled`,
    `${moved} deliveries were out of order`,
  ]);
});

test("load: connections that are refused fail the run, each with its reason", async () => {
  await using hub = await openFlawedHub();
  const dialect = { ssePath: "/elsewhere" };
  const { report } = await load({ ...OF_MERCURE, eventsPerSecond: 0 }, { url: hub.url, dialect });
  assert.deepEqual(report.connections.failed, { "HTTP status 404": 6 });
  assert.deepEqual(report.faults, ["6 connections failed"]);
});

test("load: more workers than subscribers is no reason to wait for ever", async () => {
  await using hub = await openFlawedHub();
  const { report } = await load({ ...OF_MERCURE, sse: 2, workers: 4, eventsPerSecond: 0 }, { url: hub.url });
  assert.deepEqual(report.faults, []);
  assert.equal(report.connections.held, 2);
});

test("load: interrupted before all are connected, it fails, and says so", async () => {
  await using hub = await openFlawedHub();
  const interrupt = new AbortController();
  const { report, latencyUs } = await load(
    { ...OF_MERCURE, opensPerSecond: 1 },
    { url: hub.url, signal: interrupt.signal, onProgress: () => interrupt.abort() },
  );
  assert.equal(report.ok, false);
  assert.match(
    reportText(report),
    /Interrupted[\s\S]*Failed: it was interrupted with [0-5] of 6 connected; no event was accepted\.\n$/,
  );
  assert.match(reportPage(report, latencyUs), /✗ it was interrupted/);
});

test("load: interrupted while events flow, it tells what it saw, and does not call it well", async () => {
  await using hub = await openFlawedHub();
  const interrupt = new AbortController();
  const { report, latencyUs } = await load(
    { ...OF_MERCURE, ...ONE_STREAM, sse: 1, eventsPerSecond: 1, burst: 1, durationMs: 60_000 },
    {
      url: hub.url,
      signal: interrupt.signal,
      onProgress: (phase) => phase === "holding" && interrupt.abort(),
    },
  );
  assert.deepEqual([report.ok, report.interrupted], [true, true], reportText(report));
  assert.match(reportText(report), /Interrupted: [^\n]*\nNothing was wrong until then\.\n$/);
  assert.match(reportPage(report, latencyUs), /Interrupted\. Until then nothing was lost/);
});

test("load: hosts that are not this machine are refused without the user's word", async () => {
  for (const url of ["http://192.0.2.1:8080", "https://example.com", "http://127.0.0.1.example.com"])
    await assert.rejects(
      load({}, { url }),
      (thrown) => thrown instanceof LoadUsageError && thrown.code === "off_loopback",
    );
});

test("load: a gateway of its own that can't start says why", async () => {
  const tls = { cert: TLS("expired.crt"), key: TLS("good.key") };
  await assert.rejects(
    load({}, { tls }),
    (thrown) =>
      thrown instanceof LoadUsageError &&
      thrown.code === "no_gateway" &&
      /key|certificate/.test(thrown.message),
  );
});

test("load: a plan out of bounds is refused, with all its faults, by the flags that set them", () => {
  const bad = {
    sse: -1,
    opensPerSecond: 0,
    durationMs: 1500e5,
    settleMs: 50,
    subscriptions: 4,
    payloadBytes: 10,
  };
  assert.throws(() => checkPlan({ ...LOAD_PLAN, ...bad }), {
    code: "bad_plan",
    message: [
      "--sse must be from 0 to 200000, and is -1",
      "--rate must be from 1 to 20000, and is 0",
      "--payload must be from 43 to 1048576, and is 10",
      "--duration must be from 100ms to 1d, and is 2500m",
      "--settle must be from 100ms to 5m, and is 50ms",
      "a subscriber can't follow 4 of 3 topics: --subscriptions, --topics",
    ].join("; "),
  });
});

test("load: each bound is told by a flag that the command has", () => {
  const program = new Command();
  addLoadCommand(program);
  const flags = program.commands[0]?.options.map(({ long }) => long);
  const all = Object.fromEntries(Object.keys(LOAD_PLAN).map((field) => [field, Number.NaN]));
  const told = (message: string): string[] => message.match(/--[a-z-]+/g) ?? [];
  assert.throws(
    () => checkPlan({ ...LOAD_PLAN, ...all } as LoadPlan),
    ({ message }: Error) =>
      told(message).length >= 17 && told(message).every((flag) => flags?.includes(flag)),
  );
});

test("server process: who listens is found by the port, and its CPU and memory are read", async () => {
  await using hub = await openFlawedHub();
  assert.equal(listenerPid(Number(new URL(hub.url).port)), process.pid);
  assert.ok((serverUse(process.pid)?.memoryBytes ?? 0) > 1e7);
  assert.equal(serverUse(2 ** 30), null);
  const line = (state: string): string =>
    `   0: 0100007F:1F90 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 4242 1`;
  assert.deepEqual(listeningInodes([line("0A"), line("01"), "", "sl local"], 8080), ["4242"]);
});

async function load(
  plan: Partial<LoadPlan>,
  where: { url?: string; ca?: string } & Partial<
    Pick<LoadRequest, "tls" | "environment" | "dialect"> & Pick<LoadRun, "signal" | "onProgress">
  > = {},
): ReturnType<typeof runLoad> {
  const clock = new SystemClock();
  await using opened = await openLoad({
    plan: { ...LOAD_PLAN, ...plan },
    url: where.url ?? null,
    isOwnHost: false,
    dialect: where.dialect ?? {},
    ca: where.ca,
    tls: where.tls ?? null,
    pid: null,
    credentials: null,
    environment: where.environment ?? {},
  });
  return await runLoad({
    ...opened.run,
    clock,
    signal: where.signal ?? new AbortController().signal,
    onProgress: where.onProgress ?? (() => {}),
  });
}
