import type { Counts, LoadReport } from "./report.ts";
import { sumOf, totalOf } from "./totals.ts";
import { REFUSED_MAX, type Settled } from "./worker/messages.ts";

/** Why what was found is not well; empty: it is. Pure. */
export function faultsOf({
  connections,
  published,
  deliveries,
  plan,
}: Omit<LoadReport, "ok" | "faults">): string[] {
  const counted: readonly (readonly [number, string])[] = [
    [sumOf(connections.failed), "connections failed"],
    [sumOf(connections.ended), "connections were ended by the server"],
    [deliveries.lost ?? 0, "deliveries were lost"],
    [deliveries.doubled, "deliveries were doubled"],
    [deliveries.disordered, "deliveries were out of order"],
    [deliveries.strays, "deliveries were of topics not asked for"],
    [sumOf(published.refused), "events were refused"],
    [published.unsent, "events that were due were never sent: the target takes fewer than --events"],
  ];
  const { allOpened, held, wanted } = connections;
  return [
    // What was meant to be tested never was.
    ...(allOpened ? [] : [`it was interrupted with ${held} of ${wanted} connected`]),
    ...counted.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`),
    ...(plan.eventsPerSecond !== 0 && published.accepted === 0 ? ["no event was accepted"] : []),
  ];
}

/** Deliveries lost; null: more events were refused than are kept by number, and what is missing may be any of them. */
export function lostOf(settled: readonly Pick<Settled, "lost">[], refused: Counts): number | null {
  return sumOf(refused) > REFUSED_MAX ? null : totalOf(settled, ({ lost }) => lost);
}
