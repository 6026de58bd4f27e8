import { useEffect, useRef, useState } from "preact/hooks";
import { clockTime, duration } from "../format.ts";
import type { LinkBand } from "../types.ts";

export interface Span {
  readonly state: string;
  readonly fromMs: number;
  readonly toMs: number;
}

const HEIGHT = 22;
/** What lasts only a blink, such as a reset that heals, must be seen all the same. */
const WIDTH_MIN = 3;

/** The states of one link, one after the other, within a window of time. */
export function spansOf({ changes, endedAtMs }: LinkBand, fromMs: number, nowMs: number): Span[] {
  const spans: Span[] = [];
  for (const [index, [atMs, state]] of changes.entries()) {
    const toMs = changes[index + 1]?.[0] ?? endedAtMs ?? nowMs;
    if (state === "ended" || state === "idle" || toMs < fromMs) continue;
    spans.push({ state, fromMs: Math.max(atMs, fromMs), toMs });
  }
  return spans;
}

interface BandProps {
  readonly label: string;
  readonly spans: readonly Span[];
  readonly fromMs: number;
  readonly nowMs: number;
}

/** A link's life over time. States are told apart by pattern as well as by colour; the text says what the picture shows. */
export function Band({ label, spans, fromMs, nowMs }: BandProps) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current as HTMLDivElement;
    const measured = new ResizeObserver(() => setWidth(element.clientWidth));
    measured.observe(element);
    return () => measured.disconnect();
  }, []);
  const scale = width / (nowMs - fromMs);
  const drawn = spans
    .map((span) => ({
      ...span,
      x: (span.fromMs - fromMs) * scale,
      width: Math.max(WIDTH_MIN, (span.toMs - span.fromMs) * scale),
    }))
    // The short ones over the long ones, which would hide them.
    .sort((one, other) => Number(one.state !== "open") - Number(other.state !== "open"));
  return (
    <div ref={box} class="band">
      <svg role="img" aria-label={`${label}: ${textOf(spans)}`} width={width} height={HEIGHT}>
        <rect class="band-none" x={0} y={0} width={width} height={HEIGHT} rx={3} />
        {drawn.map((span) => (
          <rect
            key={`${span.fromMs} ${span.state}`}
            class={`band-${span.state}`}
            x={span.x}
            y={span.state === "open" ? 5 : 1}
            width={span.width}
            height={span.state === "open" ? HEIGHT - 10 : HEIGHT - 2}
          >
            <title>{`${span.state} from ${clockTime(span.fromMs)}, ${duration(span.toMs - span.fromMs)}`}</title>
          </rect>
        ))}
      </svg>
    </div>
  );
}

function textOf(spans: readonly Span[]): string {
  if (spans.length === 0) return "nothing in this time";
  const losses = spans.filter(({ state }) => state === "waiting" || state === "rejected").length;
  const last = spans.at(-1) as Span;
  const lost = losses === 0 ? "never lost" : `lost ${losses} ${losses === 1 ? "time" : "times"}`;
  return `${last.state} since ${clockTime(last.fromMs)}, ${lost} in this time`;
}

/** What the patterns stand for. */
export function BandLegend() {
  return (
    <ul class="band-legend" aria-label="States">
      {["open", "connecting", "waiting", "rejected"].map((state) => (
        <li key={state}>
          <svg width="22" height="12" aria-hidden="true">
            <rect class={`band-${state}`} width="22" height="12" />
          </svg>
          {state}
        </li>
      ))}
    </ul>
  );
}

/** The patterns, once a page. */
export function BandPatterns() {
  return (
    <svg class="hidden" width="0" height="0" aria-hidden="true">
      <defs>
        <pattern
          id="hatch-waiting"
          width="6"
          height="6"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect class="fill-waiting" width="6" height="6" />
          <line class="stroke-hatch" x1="0" y1="0" x2="0" y2="6" stroke-width="3" />
        </pattern>
        <pattern id="hatch-rejected" width="6" height="6" patternUnits="userSpaceOnUse">
          <rect class="fill-rejected" width="6" height="6" />
          <path class="stroke-hatch" d="M0 0L6 6M6 0L0 6" stroke-width="1.5" />
        </pattern>
        <pattern id="hatch-connecting" width="6" height="6" patternUnits="userSpaceOnUse">
          <rect class="fill-connecting" width="6" height="6" />
          <circle class="fill-hatch" cx="3" cy="3" r="1.4" />
        </pattern>
      </defs>
    </svg>
  );
}
