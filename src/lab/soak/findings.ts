import { messageOf } from "#base/errors.ts";
import { readHeapSnapshot } from "../leaks/heap-snapshot.ts";
import { growthBetween } from "../leaks/snapshot-diff.ts";
import type { SnapshotPair } from "./investigation.ts";
import type { Finding } from "./verdict.ts";

/**
 * Fewer new objects are what happens to be alive: this many, or this share of the connections between the two
 * snapshots if that is more.
 */
const GROWN_MIN = 40;
const GROWN_SHARE = 0.06;

/** Reads each pair of snapshots for what grew between them. One that can't be read is said so. */
export async function readFindings(pairs: readonly SnapshotPair[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { life, before, after, connections, suspected } of pairs) {
    const least = Math.max(GROWN_MIN, connections * GROWN_SHARE);
    try {
      const { holders, classes } = growthBetween(
        await readHeapSnapshot(before),
        await readHeapSnapshot(after),
        least,
      );
      findings.push({ life, suspected, connections, holders, grown: classes, trouble: null });
    } catch (thrown) {
      // Hours of samples are worth more than these.
      findings.push({ life, suspected, connections, holders: [], grown: [], trouble: messageOf(thrown) });
    }
  }
  return findings;
}
