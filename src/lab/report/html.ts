import { escapeHtml } from "./escape.ts";
import { type Plot, plotFigure } from "./plot.ts";

/**
 * A report as one self-contained HTML page: no script, nothing fetched, light or dark as the reader's screen has it.
 *
 * @example
 * writeFileSync("report.html", htmlPage({
 *   title: "Soak of events.example.com",
 *   verdict: { ok: true, text: "every promise was kept" },
 *   sections: [{
 *     heading: "Memory",
 *     parts: [
 *       { kind: "text", text: "Resident memory after collection." },
 *       { kind: "plot", plot: { title: "RSS", unit: "bytes", series: [{ name: "gateway", points: [[0, 60e6], [1000, 61e6]] }] } },
 *       { kind: "table", columns: ["what", "count"], rows: [["opened", 12], ["closed", 12]] },
 *     ],
 *   }],
 * }));
 */
export interface Page {
  readonly title: string;
  readonly verdict: { readonly ok: boolean; readonly text: string };
  /** What was run, shown beneath the title: name and value. */
  readonly facts?: readonly (readonly [name: string, value: string])[];
  readonly sections: readonly Section[];
}

export interface Section {
  readonly heading: string;
  readonly parts: readonly Part[];
}

export type Part =
  | { readonly kind: "text"; readonly text: string }
  /** Preformatted, such as a retaining path or a log line. */
  | { readonly kind: "lines"; readonly lines: readonly string[] }
  | { readonly kind: "plot"; readonly plot: Plot }
  /** Numbers are aligned right. */
  | {
      readonly kind: "table";
      readonly columns: readonly string[];
      readonly rows: readonly (readonly (string | number)[])[];
    };

/** The page. Every text in it is escaped, so that names that others chose can do no harm. */
export function htmlPage({ title, verdict, facts, sections }: Page): string {
  return [
    "<!doctype html>",
    '<html lang="en-GB">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeHtml(title)}</title>`,
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    `<h1>${escapeHtml(title)}</h1>`,
    `<p class="verdict ${verdict.ok ? "ok" : "failed"}">${verdict.ok ? "✓" : "✗"} ${escapeHtml(verdict.text)}</p>`,
    facts === undefined
      ? ""
      : `<dl>${facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join("")}</dl>`,
    ...sections.flatMap(({ heading, parts }) => [
      "<section>",
      `<h2>${escapeHtml(heading)}</h2>`,
      ...parts.map(partHtml),
      "</section>",
    ]),
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

function partHtml(part: Part): string {
  switch (part.kind) {
    case "text":
      return `<p>${escapeHtml(part.text)}</p>`;
    case "lines":
      return `<pre>${part.lines.map(escapeHtml).join("\n")}</pre>`;
    case "plot":
      return plotFigure(part.plot);
    case "table": {
      const head = part.columns.map((column) => `<th>${escapeHtml(column)}</th>`).join("");
      const rows = part.rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`);
      return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join("\n")}</tbody></table>`;
    }
  }
}

function cell(value: string | number): string {
  return typeof value === "number"
    ? `<td class="number">${value.toLocaleString("en-GB", { maximumFractionDigits: 3 })}</td>`
    : `<td>${escapeHtml(value)}</td>`;
}

const COLOURS = [
  ["#1f6feb", "#79b8ff"],
  ["#c2410c", "#ffab70"],
  ["#15803d", "#7ee2a8"],
  ["#7e22ce", "#d2a8ff"],
  ["#b91c1c", "#ff9492"],
  ["#0e7490", "#76e3ea"],
  ["#a16207", "#e3b341"],
  ["#be185d", "#ff9bce"],
] as const;

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c2128, #dce3ea); --paper: light-dark(#fff, #14181d);
  --faint: light-dark(#dde2e8, #30373f); --quiet: light-dark(#5b6673, #98a3af); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 920px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.verdict { font-weight: 600; } .ok { color: light-dark(#15803d, #7ee2a8); } .failed { color: light-dark(#b91c1c, #ff9492); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; } dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .6rem 0; } th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--faint); }
td.number { text-align: right; font-variant-numeric: tabular-nums; } pre { overflow-x: auto; background: light-dark(#f3f5f7, #1c2128); padding: .7rem; }
figure { margin: 1.2rem 0; } figcaption { font-weight: 600; } svg { width: 100%; height: auto; display: block; }
svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); } .grid { stroke: var(--faint); stroke-width: 1; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; } rect.band { fill: light-dark(#d9770633, #e3b34133); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.3rem; padding: 0; margin: .2rem 0; font-size: .9rem; }
.legend i { display: inline-block; width: .9em; height: .9em; border-radius: 2px; margin-right: .4em; vertical-align: -.1em; }
.legend small, .note { color: var(--quiet); } .note { font-size: .9rem; margin: .2rem 0; } i.band { background: light-dark(#d9770633, #e3b34133); }
${COLOURS.map(([light, dark], index) => `.line.s${index} { stroke: light-dark(${light}, ${dark}); } i.s${index} { background: light-dark(${light}, ${dark}); }`).join("\n")}
`;
