import { WebSocketClient } from "../../helpers/websocket-client.ts";
import type { StormResult } from "./report.ts";
import { Rig } from "./rig.ts";

export interface OutageOptions {
  readonly links: number;
  readonly outageMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

const BUCKET_MS = 100;
/** A dial on a busy machine, with its answer. */
const DIAL_MS = 1000;

/** Every link of a gateway loses its feed for a while; when they dial once it is back. */
export async function runOutage(options: OutageOptions): Promise<StormResult> {
  const { links, outageMs, retryMinMs, retryMaxMs } = options;
  await using rig = await Rig.open({
    feed: { keys: links },
    placeholder: "{key}",
    settings: [
      `pool: { linksMax: ${links} }`,
      `retry: { min: ${retryMinMs}ms, max: ${retryMaxMs}ms, resetAfter: 1s }`,
    ],
  });
  const { source, proxy, gateway, clock } = rig;
  using client = await WebSocketClient.signedIn(gateway.url, rig.token);
  const { keys } = source.events;
  for (const key of keys) await client.subscribe(`/quotes/${key}`);
  await rig.until("the links", () => source.streams === links);
  source.publish(links);
  await client.data(links);
  await proxy.refuse();
  proxy.inject({ do: "reset" });
  const untilMs = clock.monotonicMs() + outageMs;
  await rig.until("the outage's end", () => clock.monotonicMs() >= untilMs, outageMs + 10_000);
  source.publish(links);
  const dialsMs: number[] = [];
  const returnedMs = clock.monotonicMs();
  proxy.script = () => {
    dialsMs.push(clock.monotonicMs() - returnedMs);
    return [];
  };
  await proxy.accept();
  await rig.until("every link", () => source.streams === links, 2 * retryMaxMs + 10_000);
  const recoveredMs = clock.monotonicMs() - returnedMs;
  await client.data(2 * links);
  const histogram = new Array<number>(Math.ceil(recoveredMs / BUCKET_MS)).fill(0);
  for (const atMs of dialsMs) {
    const bucket = Math.floor(atMs / BUCKET_MS);
    histogram[bucket] = (histogram[bucket] ?? 0) + 1;
  }
  const most = Math.max(...histogram);
  const even = (links * BUCKET_MS) / retryMaxMs;
  const figures = {
    links,
    "outage in seconds": outageMs / 1000,
    "retry.min / retry.max in ms": `${retryMinMs} / ${retryMaxMs}`,
    "dials after the return": dialsMs.length,
    "first dial, ms after the return": dialsMs[0] ?? Number.NaN,
    "recovered, ms after the return": recoveredMs,
    "most dials in one 100 ms": most,
    "the same, were they spread evenly over the window": even,
    [`dials per ${BUCKET_MS} ms`]: histogramText(histogram),
    "events published in the outage and delivered": client.publications.length - links,
  };
  const broken: string[] = [];
  if (most > links / 2) broken.push(`${most} of ${links} links dial in the same 100 ms`);
  if (recoveredMs > retryMaxMs + DIAL_MS) broken.push(`recovered after ${Math.round(recoveredMs)} ms`);
  if (client.publications.length !== 2 * links) broken.push("events came twice");
  return { name: "outage", figures, broken };
}

/** The numbers, in no more rows than can be read. */
function histogramText(histogram: readonly number[]): string {
  const rows: string[] = [];
  for (let from = 0; from < histogram.length; from += 10) {
    const row = histogram.slice(from, from + 10);
    const label = `${((from * BUCKET_MS) / 1000).toFixed(0).padStart(3)} s`;
    rows.push(`${label}  ${row.map((count) => String(count).padStart(3)).join(" ")}`);
  }
  return `\n    ${rows.join("\n    ")}`;
}
