import { messageOf } from "#base/errors.ts";
import type { Slope } from "../leaks/regression.ts";
import { growthText } from "../leaks/suspicion.ts";
import { htmlPage, type Part, type Section } from "../report/html.ts";
import type { Band, Plot, Point } from "../report/plot.ts";
import { formatElapsed, formatValue, type Unit } from "../report/scale.ts";
import { LACKS, type Lack } from "./extension.ts";
import type { SoakRecord } from "./record.ts";
import type { Sample } from "./sample.ts";
import type { Verdict } from "./verdict.ts";

/** Of each broken promise. What leaks is told by name first, then by what of it shows in memory and elsewhere. */
const EXAMPLES_SHOWN = 6;

/** The report for people at a terminal. */
export function textReport(record: SoakRecord, verdict: Verdict): string {
  const facts = factsOf(record, verdict).map(([name, value]) => `  ${name.padEnd(34)}${value}`);
  const promises = verdict.promises.flatMap(({ promise, text, times, examples }) => [
    times > 0
      ? `  BROKEN  ${text}: ${times} times`
      : `  ${promise === "leaks" && record.lack !== null ? "unsure" : "kept  "}  ${text}`,
    ...examples.slice(0, EXAMPLES_SHOWN).map((example) => `            ${example}`),
  ]);
  return [verdictText(record, verdict), "", ...facts, "", ...promises, ""].join("\n");
}

/** The report for programs. */
export function jsonReport(record: SoakRecord, verdict: Verdict): object {
  const { settings, startedAtMs, tookMs, extendedMs, lack, isInterrupted, totals } = record;
  const failure = record.failure === null ? null : messageOf(record.failure.thrown);
  return { ...verdict, settings, startedAtMs, tookMs, extendedMs, lack, isInterrupted, failure, totals };
}

/** The report as a page: resources, connections and faults on one time axis. */
export function htmlReport(record: SoakRecord, verdict: Verdict): string {
  const samples = record.lines.filter((line) => line.kind === "sample");
  const axis = { from: 0, to: record.tookMs, bands: bandsOf(record) };
  const plot = (title: string, unit: Unit, lines: readonly Line[], note?: string): Part => ({
    kind: "plot",
    plot: {
      ...axis,
      title,
      unit,
      series: lines.map(({ name, of }) => ({ name, points: pointsOf(samples, of) })),
      ...(note === undefined ? {} : { note }),
    } satisfies Plot,
  });
  const sections: Section[] = [
    {
      heading: "Promises",
      parts: [
        {
          kind: "table",
          columns: ["promise", "broken"],
          rows: verdict.promises.map(({ text, times }) => [text, times]),
        },
        ...verdict.promises
          .filter(({ times }) => times > 0)
          .map(({ promise, examples }): Part => ({ kind: "lines", lines: [promise, ...examples] })),
      ],
    },
    ...leakSections(verdict),
    {
      heading: "On one time axis",
      parts: [
        {
          kind: "text",
          text: "Shaded: restarts, outages, and calm without visitors. Lines break between two lives of the gateway.",
        },
        plot(
          "Memory of the gateway",
          "bytes",
          MEMORY_LINES,
          "Collected: after a forced collection, buffers included.",
        ),
        plot("Connections", "count", CONNECTION_LINES),
        plot("Connections opened", "perSecond", [
          { name: "connections", of: rateOf(samples, ({ totals }) => totals.opened) },
        ]),
        plot("Faults of links", "perSecond", [
          { name: "faults", of: rateOf(samples, ({ totals }) => totals.faults) },
        ]),
        plot("Links, as the feed counts them", "count", [{ name: "links", of: ({ links }) => links }]),
        plot("Events", "perSecond", [
          { name: "of the feed", of: rateOf(samples, ({ totals }) => totals.events) },
          { name: "received by clients", of: rateOf(samples, ({ totals }) => totals.fleet.events) },
        ]),
        plot("Descriptors", "count", DESCRIPTOR_LINES),
        plot("Processor of the gateway", "percent", [
          { name: "of one core", of: rateOf(samples, ({ outside }) => (outside?.cpuMs ?? 0) / 10, true) },
        ]),
      ],
    },
    { heading: "What happened", parts: [{ kind: "lines", lines: notesOf(record) }] },
  ];
  return htmlPage({
    title: "Soak of a Streamkeeper gateway",
    verdict: { ok: verdict.ok, text: verdictText(record, verdict) },
    facts: factsOf(record, verdict),
    sections,
  });
}

function verdictText({ isInterrupted, lack, failure }: SoakRecord, { promises }: Verdict): string {
  const broken = promises.filter(({ times }) => times > 0).map(({ promise }) => promise);
  const kept =
    lack === null
      ? "every promise was kept"
      : "every promise that could be judged was kept; growth could not be";
  const text = broken.length === 0 ? kept : `broken: ${broken.join(", ")}`;
  if (failure !== null)
    return `the soak itself failed before its end (${messageOf(failure.thrown)}); until then: ${text}`;
  return isInterrupted ? `interrupted before its end; until then: ${text}` : text;
}

function factsOf(
  { settings, startedAtMs, tookMs, extendedMs, lack, totals }: SoakRecord,
  verdict: Verdict,
): [string, string][] {
  const { fleet } = totals;
  const count = (value: number) => value.toLocaleString("en-GB");
  const perSecond = verdict.connectionsPerSecond;
  return [
    ["started", new Date(startedAtMs).toISOString()],
    ["ran for", formatElapsed(tookMs)],
    ["of that past its time", extensionText(extendedMs, lack)],
    ["turnover of", `${settings.compress} times that; seed ${settings.seed}`],
    ["connections opened / closed", `${count(totals.opened)} / ${count(totals.closed)}`],
    ["as their clients count", `${count(fleet.begun)} begun, ${count(fleet.over)} over`],
    ["faults of links", count(totals.faults)],
    ["events of the feed / published", `${count(totals.events)} / ${count(totals.published)}`],
    ["events received", count(fleet.events)],
    ["returns with a cursor", count(fleet.returns)],
    ["told of missing events", count(fleet.told)],
    ["lost untold / came again", `${count(fleet.lost)} / ${count(fleet.repeated)}`],
    ["came again after a restart, told", count(fleet.crossed)],
    ["silent clients sent away / not", `${count(fleet.silentSentAway)} / ${count(fleet.silentOverstayed)}`],
    ["gaps upstream", count(totals.gapsUpstream)],
    ["memory after collection", slopeText(verdict.memory, perSecond)],
    ["resident memory", slopeText(verdict.resident, perSecond)],
  ];
}

function extensionText(extendedMs: number, lack: Lack | null): string {
  const length = formatElapsed(extendedMs);
  if (lack !== null) return `${length}; growth could not be judged for lack of ${LACKS[lack]}`;
  return extendedMs < 1000 ? "none" : `${length}, until growth could be judged and named`;
}

function slopeText(slope: Slope | null, perSecond: number): string {
  if (slope === null) return "too few samples";
  const hourly = (value: number) => formatValue(value * 3600, "bytes");
  const sign = slope.low > 0 ? "above zero" : "not above zero";
  const each = perSecond > 0 ? `, ${(slope.slope / perSecond).toPrecision(2)} B a connection` : "";
  return `${hourly(slope.slope)} an hour (95 %: ${hourly(slope.low)} to ${hourly(slope.high)}, ${sign}; ${slope.points} samples${each})`;
}

function leakSections({ suspicions, findings }: Verdict): Section[] {
  if (suspicions.length === 0 && findings.length === 0) return [];
  const parts: Part[] = [
    {
      kind: "table",
      columns: ["what grew", "by", "95 % from", "to"],
      rows: suspicions.map((one) => {
        const { slope, low, high } = one.slope;
        return [one.what, ...[slope, low, high].map((amount) => growthText(one, amount))];
      }),
    },
  ];
  for (const { suspected, connections, holders, grown } of findings) {
    parts.push({
      kind: "text",
      text:
        grown.length + holders.length === 0
          ? `Between two snapshots, ${connections} connections apart, no class grew with them. Suspected had been:`
          : `Between two snapshots, ${connections} connections apart, these grew. Suspected had been:`,
    });
    parts.push({ kind: "lines", lines: suspected });
    for (const { steps, count, objects, bytes, heaviest } of holders) {
      const more = `${count} more are held there, with what hangs from them ${objects} objects, ${bytes} bytes:`;
      const beyond = heaviest.length === 0 ? [] : ["most of it beyond:", ...heaviest];
      parts.push({ kind: "lines", lines: [more, ...steps, ...beyond] });
    }
    for (const { name, count, bytes, retainers } of grown) {
      const lines = retainers.flatMap((way) => [`${way.count} more on this way:`, ...way.steps]);
      parts.push({ kind: "lines", lines: [`${name}: ${count} more, ${bytes} bytes of their own`, ...lines] });
    }
  }
  return [{ heading: "Leaks", parts }];
}

interface Line {
  readonly name: string;
  readonly of: (sample: Sample, index: number) => number | null;
}

const MEMORY_LINES: readonly Line[] = [
  { name: "resident", of: ({ outside }) => outside?.rssBytes ?? null },
  { name: "collected", of: ({ inside }) => inside.heapUsed + inside.external + inside.malloced },
  { name: "heap", of: ({ inside }) => inside.heapUsed },
];

const CONNECTION_LINES: readonly Line[] = [
  { name: "the gateway's", of: ({ inside }) => (inside.books.sse ?? 0) + (inside.books.websocket ?? 0) },
  { name: "visitors", of: ({ visitors }) => visitors },
  { name: "witnesses", of: ({ witnesses }) => witnesses },
];

const DESCRIPTOR_LINES: readonly Line[] = ["socket", "file", "anon_inode", "pipe"].map((kind) => ({
  name: kind,
  of: ({ outside }) => outside?.descriptors[kind] ?? null,
}));

/** Lines break where another life begins. */
function pointsOf(samples: readonly Sample[], of: Line["of"]): Point[] {
  return samples.flatMap((sample, index): Point[] => {
    const before = samples[index - 1];
    const point: Point = [sample.atMs, of(sample, index)];
    return before !== undefined && before.life !== sample.life ? [[sample.atMs - 1, null], point] : [point];
  });
}

/** How much a count grew since the sample before, a second. @param ofLife the count begins anew with each life */
function rateOf(samples: readonly Sample[], count: (sample: Sample) => number, ofLife = false): Line["of"] {
  return (sample, index) => {
    const before = samples[index - 1];
    if (before === undefined || sample.atMs <= before.atMs || (ofLife && before.life !== sample.life))
      return null;
    return (1000 * (count(sample) - count(before))) / (sample.atMs - before.atMs);
  };
}

const SHADED = new Set(["calm", "outage", "drain", "drain_to_tls", "crash"]);

function bandsOf({ lines, tookMs }: SoakRecord): Band[] {
  const phases = lines.flatMap((line) =>
    line.kind === "note" && line.what === "phase" ? [{ name: line.text, from: line.atMs }] : [],
  );
  return phases
    .map(({ name, from }, index) => ({ name, from, to: phases[index + 1]?.from ?? tookMs }))
    .filter(({ name }) => SHADED.has(name));
}

const NOTES_SHOWN = 300;

function notesOf({ lines }: SoakRecord): string[] {
  const notes = lines.flatMap((line) =>
    line.kind === "note" && line.what !== "phase" && line.what !== "pair"
      ? [`${formatElapsed(line.atMs).padEnd(9)} ${line.what}: ${line.text}`]
      : [],
  );
  return notes.length <= NOTES_SHOWN
    ? notes
    : [...notes.slice(0, NOTES_SHOWN), `and ${notes.length - NOTES_SHOWN} more, in samples.jsonl`];
}
