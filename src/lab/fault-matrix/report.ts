import { MATRIX_SETTINGS } from "./bench.ts";
import type { MatrixFault } from "./faults.ts";
import type { MatrixResult } from "./run.ts";

export interface MatrixRow {
  readonly fault: MatrixFault;
  readonly withIds: MatrixResult;
  readonly withoutIds: MatrixResult;
}

/** The matrix as a Markdown page. */
export function matrixPage(rows: readonly MatrixRow[]): string {
  const { connectTimeoutMs, idleTimeoutMs, retryMinMs, retryMaxMs, eventBytesMax, eventsPerSecond } =
    MATRIX_SETTINGS;
  const notes = rows.flatMap(({ fault }) => (fault.silentLoss === undefined ? [] : [fault.silentLoss]));
  const cells = rows.map(({ fault, withIds, withoutIds }) => [
    fault.name,
    [...withIds.reasons, ...withIds.mappingFaults].map((reason) => `\`${reason}\``).join(", then ") ||
      "no fault",
    time(withIds.detectedMs),
    time(withIds.recoveredMs),
    ...outcome(fault, withIds, notes),
    ...outcome(fault, withoutIds, notes),
  ]);
  return [
    "# Faults of upstream links, and what becomes of them",
    "",
    "Each row is done to a real feed of the gateway, by the fault proxy or the fault feed, while",
    `${eventsPerSecond} numbered events a second arrive: once from a feed with event ids and history, once from one without`,
    "ids. `npm run fault-matrix` does it all again and writes this page; times vary with chance, since backoff is",
    "jittered over its whole window.",
    "",
    `Settings: \`connectTimeout\` ${connectTimeoutMs} ms, \`idleTimeout\` ${idleTimeoutMs} ms, \`retry\` ${retryMinMs} to ${retryMaxMs} ms, ` +
      `\`eventBytesMax\` ${eventBytesMax / 1024} KiB, one link.`,
    "Reasons are explained in [reasons.md](reasons.md). *Detected in*: from the fault to its reason. *Recovered in*: from",
    "there to the next event. *Told*: a gap was announced on the topics; – is for nothing to tell.",
    "",
    "| fault | detected as | detected in | recovered in | ids: lost | told | no ids: lost | told |",
    "| --- | --- | ---: | ---: | ---: | --- | ---: | --- |",
    ...cells.map((row) => `| ${row.join(" | ")} |`),
    "",
    rows.every(isInOrder)
      ? "No event came twice, and none out of its order, in any row."
      : "Events came twice or out of order: run it again, and see what it says.",
    ...notes.flatMap((note, at) => ["", `${at + 1}. ${note[0]?.toUpperCase()}${note.slice(1)}.`]),
    "",
  ].join("\n");
}

function outcome(fault: MatrixFault, { lost, gaps }: MatrixResult, notes: readonly string[]): string[] {
  const note = fault.silentLoss === undefined ? "" : ` (${notes.indexOf(fault.silentLoss) + 1})`;
  const told = gaps > 0 ? "gap" : lost === 0 ? "–" : `no${note}`;
  return [String(lost), told];
}

function isInOrder({ withIds, withoutIds }: MatrixRow): boolean {
  return [withIds, withoutIds].every(({ doubled, outOfOrder }) => doubled === 0 && outOfOrder === 0);
}

function time(ms: number | null): string {
  return ms === null ? "–" : `${Math.round(ms)} ms`;
}
