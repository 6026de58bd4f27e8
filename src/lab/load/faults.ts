import type { Counts, LoadReport } from "./report.ts";
import { REFUSED_MAX } from "./worker/messages.ts";

/** Why what was found is not well; empty: it is. Pure. */
export function faultsOf({
  connections,
  published,
  deliveries,
  plan,
}: Omit<LoadReport, "ok" | "faults">): string[] {
  const refused = sum(published.refused);
  const counted: readonly (readonly [number, string])[] = [
    [sum(connections.failed), "connections failed"],
    [sum(connections.ended), "connections were ended by the server"],
    [refused > REFUSED_MAX ? 0 : deliveries.lost, "deliveries were lost"],
    [deliveries.doubled, "deliveries were doubled"],
    [deliveries.disordered, "deliveries were out of order"],
    [deliveries.strays, "deliveries were of topics not asked for"],
    [refused, "events were refused"],
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

function sum(counts: Counts): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}
