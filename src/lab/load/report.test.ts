import assert from "node:assert/strict";
import { test } from "node:test";
import { LOAD_PLAN } from "../../../test/helpers/load-plan.ts";
import { faultsOf, lostOf } from "./faults.ts";
import { Histogram } from "./histogram.ts";
import { type LoadReport, reportText, summaryOf } from "./report.ts";
import { reportPage } from "./report-page.ts";

const NOTHING = summaryOf(new Histogram());

const FOUND: Omit<LoadReport, "ok" | "faults"> = {
  url: "http://127.0.0.1:8080",
  startedAt: "2026-01-01T00:00:00.000Z",
  interrupted: false,
  plan: LOAD_PLAN,
  phasesMs: { open: 100, hold: 4000, settle: 100 },
  connections: {
    wanted: 12,
    allOpened: true,
    held: 12,
    opened: 12,
    churned: 0,
    failed: {},
    ended: {},
    slowEnded: {},
  },
  connectMs: NOTHING,
  signInMs: NOTHING,
  latencyMs: NOTHING,
  published: {
    due: 800,
    unsent: 0,
    sent: 800,
    accepted: 800,
    refused: {},
    lagMs: NOTHING,
    answerMs: NOTHING,
  },
  deliveries: { count: 6400, lost: 0, doubled: 0, disordered: 0, gapsTold: 0, strays: 0, behind: 0 },
  cost: { loadUs: null, subscribersUs: null, serverUs: null, ratio: null },
  server: {
    pid: null,
    memoryBytesAtStart: null,
    memoryBytesOpened: null,
    connectionsOpened: 12,
    memoryBytesMax: null,
  },
  timeline: [],
};

test("report of load: events that were due and never sent are a fault, and told as what they are", () => {
  const { faults, text, page } = told({
    published: { ...FOUND.published, sent: 228, accepted: 228, unsent: 572 },
  });
  assert.deepEqual(faults, [
    "572 events that were due were never sent: the target takes fewer than --events",
  ]);
  assert.match(text, /published +228 of 228 accepted in 4s; 572 more were due, and never sent\n/);
  assert.match(text, /latency +.*; without what was never sent\n/);
  assert.match(page, /events due<\/td><td[^>]*>800<[\s\S]*never sent<\/td><td[^>]*>572</);
  assert.doesNotMatch(told({}).text, /never sent/);
});

test("report of load: where too many were refused to tell what is lost, no number is told", () => {
  const settled = [{ lost: 3 }, { lost: 4 }];
  assert.deepEqual([lostOf(settled, { 503: 10_000 }), lostOf(settled, { 503: 10_000, 404: 1 })], [7, null]);
  const { faults, text, page } = told({
    published: { ...FOUND.published, accepted: 0, refused: { 503: 10_001 } },
    deliveries: { ...FOUND.deliveries, lost: null },
  });
  assert.deepEqual(faults, ["10001 events were refused", "no event was accepted"]);
  assert.match(text, /deliveries +6400: not known how many lost, 0 doubled/);
  assert.match(page, /lost<\/td><td[^>]*>not known/);
});

test("report of load: memory of a connection is by those open when it was read, whatever became of them", () => {
  const server = { pid: 7, memoryBytesAtStart: 2 ** 20, memoryBytesOpened: 2 ** 20 + 12 * 4096 };
  const { text, page } = told({
    connections: { ...FOUND.connections, held: 1, ended: { "closed by the server": 11 } },
    server: { ...server, connectionsOpened: 12, memoryBytesMax: 2 ** 21 },
  });
  for (const form of [text, page]) assert.match(form, /with 12 connected, 4 KiB a connection/);
});

/** What is said of what was found, in each form. */
function told(changes: Partial<typeof FOUND>): { faults: readonly string[]; text: string; page: string } {
  const found = { ...FOUND, ...changes };
  const faults = faultsOf(found);
  const report = { ok: faults.length === 0, faults, ...found };
  return { faults, text: reportText(report), page: reportPage(report, new Histogram()) };
}
