import type { LinkReason } from "#upstream/link-reason.ts";
import type { MappingFault } from "#upstream/mapping.ts";
import { Bench, type Delivery } from "./bench.ts";
import type { MatrixFault } from "./faults.ts";

/** What came of a fault, with or without event ids. */
export interface MatrixResult extends Delivery {
  readonly ids: boolean;
  /** In order, repetitions left out. */
  readonly reasons: readonly LinkReason[];
  readonly mappingFaults: readonly MappingFault[];
  /** From the fault to the first reason, in milliseconds; null: the link has had none. */
  readonly detectedMs: number | null;
  /** From the first reason to the first event after the last one; null likewise. */
  readonly recoveredMs: number | null;
}

/** Events after which a fault that is none of the link's is taken for over. */
const EVENTS_AFTER = 60;

/** Does a fault to a real feed and waits until it has got over it. Rejects when it does not within seconds. */
export async function runFault(fault: MatrixFault, ids: boolean, seed: number): Promise<MatrixResult> {
  const { historyEvents, tls = false } = fault;
  await using bench = await Bench.open({
    ids,
    seed,
    tls,
    ...(historyEvents === undefined ? {} : { historyEvents }),
  });
  await bench.start();
  const startMs = bench.nowMs();
  const { received } = bench;
  await fault.do(bench);
  await bench.until(`recovery from: ${fault.name} (${ids ? "with" : "without"} ids)`, () =>
    fault.reasons.length === 0
      ? bench.received >= received + EVENTS_AFTER
      : isSame(reasonsOf(bench), fault.reasons) &&
        bench.isSpent &&
        bench.lastEventAtMs > (bench.failures.at(-1)?.atMs ?? Number.POSITIVE_INFINITY),
  );
  const recoveredAtMs = bench.lastEventAtMs;
  const first = bench.failures[0];
  return {
    ids,
    ...(await bench.settle()),
    reasons: reasonsOf(bench),
    mappingFaults: bench.mappingFaults,
    detectedMs: first === undefined ? null : first.atMs - startMs,
    recoveredMs: first === undefined ? null : recoveredAtMs - first.atMs,
  };
}

/** What was promised and did not hold; empty when all did. */
export function brokenPromises(fault: MatrixFault, result: MatrixResult): string[] {
  const { ids, lost, doubled, outOfOrder, gaps, reasons } = result;
  const told = gaps > 0 || fault.silentLoss !== undefined;
  return [
    isSame(reasons, fault.reasons)
      ? ""
      : `detected as ${reasons.join(", ")}, not ${fault.reasons.join(", ")}`,
    doubled === 0 ? "" : `${doubled} events came twice`,
    outOfOrder === 0 ? "" : `${outOfOrder} events came out of order`,
    lost > 0 && ids && fault.silentLoss === undefined && fault.spoilsEvents !== true
      ? `${lost} events lost that the feed could replay`
      : "",
    lost > 0 && !told ? `${lost} events lost and nobody told` : "",
    lost === 0 && ids && gaps > 0 ? "a gap told where nothing was lost" : "",
  ].filter((promise) => promise !== "");
}

function reasonsOf(bench: Bench): LinkReason[] {
  const reasons = bench.failures.map(({ reason }) => reason);
  return reasons.filter((reason, at) => reason !== reasons[at - 1]);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, at) => item === b[at]);
}
