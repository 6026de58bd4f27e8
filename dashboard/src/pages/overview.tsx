import { useMemo, useState } from "preact/hooks";
import { bytes, compact, count, dateTime, duration, percent, plural, rate } from "../format.ts";
import { type Past, type Step, useHistory } from "../history.ts";
import { useLiveOverview } from "../live.ts";
import { Chart } from "../parts/chart.tsx";
import { Waiting } from "../parts/notice.tsx";
import { Tile } from "../parts/tile.tsx";
import type { Overview as OverviewData } from "../types.ts";

export function Overview() {
  const { overview, fault } = useLiveOverview();
  const [step, setStep] = useState<Step>("1s");
  const past = useHistory(step, overview);
  if (overview === null) return <Waiting fault={fault} />;
  return (
    <>
      {fault !== null && <Waiting fault={fault} />}
      <Verdict overview={overview} />
      <Tiles overview={overview} past={past} />
      <section aria-label="Over time">
        <div class="section-head">
          <h2>Over time</h2>
          <fieldset class="switch">
            <legend class="hidden">How far back</legend>
            {SPANS.map(({ value, label }) => (
              <label key={value}>
                <input type="radio" name="step" checked={step === value} onChange={() => setStep(value)} />
                <span>{label}</span>
              </label>
            ))}
          </fieldset>
        </div>
        {past === null ? <Waiting fault={null} /> : <Charts past={past} />}
      </section>
      <p class="foot">
        Version {overview.version}, up for {duration(overview.atMs - overview.startedAtMs)}, since{" "}
        {dateTime(overview.startedAtMs)}. Log epoch <code>{overview.epoch}</code>, head{" "}
        {count(overview.log.head)}.
      </p>
    </>
  );
}

const SPANS = [
  { value: "1s", label: "10 minutes" },
  { value: "10s", label: "2 hours" },
  { value: "1m", label: "24 hours" },
] as const;

const LEVELS = { well: "✓", warning: "!", failure: "✕" } as const;

function Verdict({ overview }: { overview: OverviewData }) {
  const { level, sentence, reasons } = overview.health;
  return (
    <section class={`verdict ${level}`} aria-label="Is all well?">
      <p role="status">
        <span class="verdict-sign" aria-hidden="true">
          {LEVELS[level]}
        </span>
        {sentence}
      </p>
      {reasons.length > 1 && (
        <ul>
          {reasons.map(({ code, severity, message }) => (
            <li key={code}>
              <b>{severity === "failure" ? "Failure" : "Warning"}:</b> {message}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Tiles({ overview, past }: { overview: OverviewData; past: Past | null }) {
  const { connections, connectionsMax, memory, lagMs, links } = overview;
  const open = connections.sse + connections.websocket;
  const linksAll = Object.values(links).reduce((sum, each) => sum + each, 0);
  return (
    <section class="tiles" aria-label="Now">
      <Tile
        label="Connections"
        value={count(open)}
        note={`${count(connections.sse)} SSE, ${count(connections.websocket)} WebSocket, of ${count(connectionsMax)}`}
        share={open / connectionsMax}
        href="#/connections"
      />
      <Tile
        label="Deliveries"
        value={`${rate(lately(past, "deliveries"))}/s`}
        note={`${compact(overview.deliveries)} since the start`}
      />
      <Tile
        label="Events in"
        value={`${rate(lately(past, "published"))}/s`}
        note={`${plural(overview.topics, "topic")}, ${plural(overview.subscribers, "subscriber")}`}
      />
      <Tile
        label="Lag, p99"
        value={lagMs.p99 === null ? "–" : `≤ ${duration(lagMs.p99)}`}
        note={lagMs.p50 === null ? "nothing delivered lately" : `median ≤ ${duration(lagMs.p50)}`}
      />
      <Tile
        label="Memory"
        value={bytes(memory.residentBytes)}
        note={memory.limitBytes === null ? "no limit known" : `of ${bytes(memory.limitBytes)}`}
        {...(memory.limitBytes === null ? {} : { share: memory.residentBytes / memory.limitBytes })}
        level={memory.step > 0 ? "failure" : "well"}
      />
      <Tile label="CPU" value={percent(overview.cpu)} note="of one core" />
      <Tile
        label="Links"
        value={linksAll === 0 ? "none" : `${links.open ?? 0} of ${linksAll}`}
        note={`open; ${plural(overview.reconnects, "reconnect")}, ${plural(overview.gaps, "gap")}`}
        level={linksAll > (links.open ?? 0) ? "warning" : "well"}
        href="#/feeds"
      />
      <Tile
        label="Errors"
        value={count(overview.errors + overview.resets + overview.authFailures)}
        note={`${plural(overview.resets, "reset")}, ${plural(overview.authFailures, "failed sign-in")}`}
        href="#/errors"
      />
    </section>
  );
}

/** A mean of the last five seconds or so: single seconds jump. */
function lately(past: Past | null, name: "deliveries" | "published"): number {
  const values = past?.series[name].slice(-5).filter((value) => value !== null) ?? [];
  if (past === null || values.length === 0) return 0;
  return values.reduce((sum, value) => sum + value, 0) / values.length / (past.stepMs / 1000);
}

function Charts({ past }: { past: Past }) {
  const { times, series, stepMs } = past;
  const perSecond = useMemo(() => {
    const scaled = (values: readonly (number | null)[]) =>
      values.map((value) => (value === null ? null : value / (stepMs / 1000)));
    return { deliveries: scaled(series.deliveries), published: scaled(series.published) };
  }, [series, stepMs]);
  const resets = useMemo(
    () => times.filter((_, n) => (series.reconnects[n] ?? 0) > 0 || (series.resets[n] ?? 0) > 0),
    [times, series],
  );
  return (
    <div class="charts">
      <Chart
        title="Connections"
        unit="whole"
        times={times}
        format={compact}
        lines={[
          { label: "SSE", values: series.connectionsSse, colour: "--one" },
          { label: "WebSocket", values: series.connectionsWebsocket, colour: "--two", dash: [6, 3] },
        ]}
      />
      <Chart
        title="Events a second"
        times={times}
        format={compact}
        marks={resets}
        marksLabel="reset or reconnect"
        lines={[
          { label: "deliveries", values: perSecond.deliveries, colour: "--one" },
          { label: "in", values: perSecond.published, colour: "--two", dash: [6, 3] },
        ]}
      />
      <Chart
        title="Delivery lag, p99"
        times={times}
        format={duration}
        lines={[{ label: "at most", values: series.lagP99Ms, colour: "--one" }]}
      />
      <Chart
        title="Memory"
        unit="bytes"
        times={times}
        format={bytes}
        lines={[
          { label: "resident", values: series.residentBytes, colour: "--one" },
          { label: "log", values: series.logBytes, colour: "--two", dash: [6, 3] },
          { label: "queued", values: series.queuedBytes, colour: "--three", dash: [2, 3] },
        ]}
      />
      <Chart
        title="Errors"
        unit="whole"
        times={times}
        format={compact}
        lines={[
          { label: "errors", values: series.errors, colour: "--bad" },
          { label: "resets", values: series.resets, colour: "--three", dash: [6, 3] },
          { label: "failed sign-ins", values: series.authFailures, colour: "--two", dash: [2, 3] },
        ]}
      />
      <Chart
        title="CPU"
        times={times}
        format={percent}
        lines={[{ label: "of one core", values: series.cpu, colour: "--one" }]}
      />
    </div>
  );
}
