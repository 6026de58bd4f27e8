import assert from "node:assert/strict";
import { test } from "node:test";
import { checkBreaches, checkSample } from "./checks.ts";
import { emptyTally } from "./fleet-tally.ts";
import type { SoakRecord } from "./record.ts";
import { htmlReport, jsonReport, textReport } from "./report.ts";
import type { Note, Sample } from "./sample.ts";
import { judge } from "./verdict.ts";

/** A sample a second into a life, 100 connections a second. */
function sampleAt(
  second: number,
  change: { heapUsed?: number; timers?: number; life?: number } = {},
): Sample {
  const { heapUsed = 40e6 + (second % 7) * 1e4, timers = 20, life = 1 } = change;
  return {
    kind: "sample",
    atMs: second * 1000,
    phase: "steady",
    life,
    lifeMs: second * 1000,
    isTls: false,
    totals: {
      opened: second * 100,
      closed: second * 100,
      faults: second * 3,
      events: second * 480,
      published: second * 10,
      gapsUpstream: 0,
      fleet: { ...emptyTally(), begun: second * 100 },
    },
    inside: {
      heapUsed,
      external: 1e6,
      arrayBuffers: 1e5,
      malloced: 1e6,
      resources: { Timeout: timers },
      books: { sse: 90, websocket: 90, sockets: 180 },
      opened: second * 100,
      closed: second * 100 - 180,
      reclaimed: 0,
      classes: {},
    },
    outside: { rssBytes: 150e6, cpuMs: second * 300, descriptors: { socket: 200 } },
    metrics: { connections: 180, links: 7, reclaimed: 0, memoryStep: 0, queueBytes: 0, logBytes: 1e6 },
    links: 7,
    visitors: 100,
    witnesses: 80,
  };
}

function recordOf(samples: readonly Sample[], change: Partial<SoakRecord> = {}): SoakRecord {
  const note: Note = { kind: "note", atMs: 1000, what: "phase", text: "calm" };
  return {
    settings: { durationMs: 120_000, compress: 12, seed: 1, seedLeak: null },
    startedAtMs: 0,
    tookMs: 120_000,
    isInterrupted: false,
    extendedMs: 0,
    lack: null,
    failure: null,
    lines: [note, ...samples],
    totals: (samples.at(-1) as Sample).totals,
    broken: [],
    pairs: [],
    warmUpMs: 20_000,
    ...change,
  };
}

const SECONDS = Array.from({ length: 120 }, (_, second) => second);

test("verdict: a run without a broken promise and without growth is good, whatever grew while it warmed up", () => {
  const samples = SECONDS.map((second) =>
    sampleAt(second, second < 20 ? { heapUsed: 20e6 + second * 1e6 } : {}),
  );
  const verdict = judge(recordOf(samples), []);
  assert.ok(verdict.ok);
  assert.ok((verdict.memory?.low ?? 1) <= 0);
  assert.ok(Math.abs(verdict.connectionsPerSecond - 100) < 1);
});

test("verdict: what grows by the connection breaks a promise, and is named", () => {
  const samples = SECONDS.map((second) =>
    sampleAt(second, { heapUsed: 40e6 + second * 20_000, timers: 20 + second * 100 }),
  );
  const verdict = judge(recordOf(samples), []);
  const leaks = verdict.promises.find(({ promise }) => promise === "leaks");
  assert.equal(verdict.ok, false);
  assert.equal(leaks?.times, 2);
  assert.match(leaks?.examples.join() ?? "", /handles:Timeout grew by 1\.00 a connection/);
});

test("verdict: what grows by the clock breaks a promise too, in the text and the page, little as it is for a connection", () => {
  const samples = SECONDS.map((at) => sampleAt(at * 8, { timers: 20 + at * 4 }));
  const record = recordOf(samples, { tookMs: 960_000 });
  const verdict = judge(record, []);
  assert.deepEqual(
    verdict.suspicions.map(({ what, per }) => [what, per]),
    [["handles:Timeout", "hour"]],
  );
  for (const report of [textReport(record, verdict), htmlReport(record, verdict)])
    assert.match(report, /handles:Timeout(<\/td><td[^>]*>| grew by )1\.80e\+3 an hour/);
  assert.match(textReport(record, verdict), /BROKEN {2}nothing grew/);
});

test("verdict: growth between two lives of the gateway is none", () => {
  const samples = SECONDS.map((second) =>
    sampleAt(second, second < 60 ? {} : { life: 2, heapUsed: 90e6 + (second % 5) * 1e4 }),
  );
  assert.ok(judge(recordOf(samples), []).ok);
});

test("verdict: what was found in heap snapshots is a leak, with its way from the root", () => {
  const grown = [
    { name: "Timeout", count: 900, bytes: 9, retainers: [{ count: 900, steps: [".a → b", "[] → Timeout"] }] },
  ];
  const record = recordOf(SECONDS.map((second) => sampleAt(second)));
  const verdict = judge(record, [
    { life: 1, suspected: ["memory"], connections: 1000, holders: [], grown, trouble: null },
  ]);
  assert.equal(verdict.ok, false);
  for (const report of [textReport(record, verdict), htmlReport(record, verdict)])
    assert.match(report, /Timeout/);
  assert.match(textReport(record, verdict), /BROKEN {2}nothing grew.*: 1 times/);
  assert.equal(JSON.parse(JSON.stringify(jsonReport(record, verdict))).totals.opened, 11_900);
});

const DRAGGED = Array.from({ length: 8 }, (_, index) => ({
  name: `Part${index}`,
  count: 3000,
  bytes: 9,
  retainers: [{ count: 3000, steps: [".a → b", `[] → Part${index}`] }],
}));
const HOLDER = {
  steps: [".leaked → Object", ".closures → Array", "[] → leakedClosure()"],
  count: 1000,
  objects: 40_000,
  bytes: 7_000_000,
  heaviest: [".connection → Connection"],
};

test("verdict: the list that holds all of a leak is named first, in every report, however much hangs from it", () => {
  const grows = (second: number) =>
    Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`kind${index}`, 20 + second * 100]));
  const samples = SECONDS.map((second) => {
    const sample = sampleAt(second);
    return { ...sample, inside: { ...sample.inside, resources: grows(second) } };
  });
  const record = recordOf(samples);
  const finding = {
    life: 1,
    suspected: ["memory"],
    connections: 1000,
    holders: [HOLDER],
    grown: DRAGGED,
    trouble: null,
  };
  const verdict = judge(record, [finding]);
  const leaks = verdict.promises.find(({ promise }) => promise === "leaks");
  const name =
    /1000 more are held by \.leaked → Object \.closures → Array \[\] → leakedClosure\(\): 7000000 bytes in 40000 objects after 1000 connections/;
  assert.match(leaks?.examples[0] ?? "", name);
  assert.match(textReport(record, verdict), name);
  assert.match(htmlReport(record, verdict), /\.closures → Array/);
});

test("verdict: memory of a short life that grew is a leak, unless its heap snapshots show that nothing did", () => {
  const samples = SECONDS.map((second) => sampleAt(second, { heapUsed: 40e6 + second * 20_000 }));
  const record = recordOf(samples);
  const finding = {
    life: 1,
    suspected: ["memory"],
    connections: 1000,
    holders: [],
    grown: [],
    trouble: null,
  };
  assert.equal(judge(record, []).ok, false);
  assert.ok(judge(record, [finding]).ok);
  assert.equal(judge(record, [{ ...finding, life: 2 }]).ok, false);
  assert.equal(judge(record, [{ ...finding, trouble: "cut off" }]).ok, false);
  assert.equal(judge(record, [{ ...finding, holders: [HOLDER] }]).ok, false);
  const timers = SECONDS.map((second) => sampleAt(second, { timers: 20 + second * 100 }));
  assert.equal(judge(recordOf(timers), [finding]).ok, false);
});

test("verdict: a run that the soak itself failed in says so, is not good, and tells what it saw until then", () => {
  const failure = { thrown: new TypeError("a bug") };
  const record = recordOf(
    SECONDS.map((second) => sampleAt(second)),
    { failure },
  );
  const verdict = judge(record, []);
  assert.equal(verdict.ok, false);
  assert.match(
    textReport(record, verdict),
    /^the soak itself failed before its end \(a bug\); until then: every promise was kept\n/,
  );
  assert.equal(JSON.parse(JSON.stringify(jsonReport(record, verdict))).failure, "a bug");
});

test("verdict: a run that could not be judged does not say that nothing grew", () => {
  const record = recordOf(
    SECONDS.slice(0, 25).map((second) => sampleAt(second)),
    { extendedMs: 300_000, lack: "looks" },
  );
  const report = textReport(record, judge(record, []));
  assert.match(report, /every promise that could be judged was kept; growth could not be/);
  assert.match(report, /unsure {2}nothing grew/);
  assert.match(report, /past its time +5m.*for lack of enough looks/);
});

test("checks: books that disagree, a sweep that found something, too much memory and too many links are each told", () => {
  const good = sampleAt(50);
  assert.deepEqual(checkSample(good, sampleAt(49)), []);
  const promisesOf = (sample: Sample, before?: Sample) =>
    checkSample(sample, before).map(({ promise }) => promise);
  const { inside } = good;
  assert.deepEqual(promisesOf({ ...good, inside: { ...inside, closed: inside.closed + 1 } }), ["books"]);
  assert.deepEqual(promisesOf({ ...good, inside: { ...inside, reclaimed: 1 } }), ["sweep"]);
  const outside = { rssBytes: 2e9, cpuMs: 1, descriptors: {} };
  assert.deepEqual(promisesOf({ ...good, outside }), ["memory"]);
  assert.deepEqual(promisesOf({ ...good, links: 20 }), []);
  assert.deepEqual(promisesOf({ ...good, links: 20 }, { ...good, links: 12 }), ["links"]);
});

test("checks: a loss is none where nobody knows whether all of it was published", () => {
  const unsure = new Map([["/news/soak", new Set([3, 4])]]);
  const lost = (topic: string, from: number, to: number) => ({ kind: "lost", topic, from, to }) as const;
  assert.deepEqual(checkBreaches([lost("/news/soak", 3, 4)], unsure), []);
  assert.equal(checkBreaches([lost("/news/soak", 3, 5)], unsure).length, 1);
  assert.equal(checkBreaches([lost("/quotes/K000", 3, 4)], unsure).length, 1);
  assert.match(
    checkBreaches([{ kind: "repeated", topic: "/news/soak", from: 3, to: 4 }], unsure)[0]?.detail ?? "",
    /3 came again or late, after 4/,
  );
});
