import { LINKS_MAX, MEMORY_MAX } from "./gateway-file.ts";
import type { Breach } from "./ledger.ts";
import type { PhaseKind } from "./plan.ts";
import type { Sample } from "./sample.ts";

/** A promise that a look at the run found broken. */
export interface Broken {
  readonly promise: PromiseName;
  readonly detail: string;
}

/** What is checked all along. A closed list: the report names each, kept or broken. */
export const PROMISES = {
  delivery: "each subscriber got each event once and in order, or was told that some are missing",
  completeness: "in calm, every witness had the last event of its topic",
  books: "connections opened less those closed are those that are open",
  clients: "in calm, the gateway had the connections that its clients had, and no others",
  sweep: "the sweep found nothing",
  memory: "resident memory stayed below limits.memory",
  links: "the feed counted no more links than pool.linksMax",
  liveness: "clients that answered no ping were sent away",
  admission: "all clients but one in 5,000 were let in, restarts left out",
  process: "the gateway ended when it was told to, and not otherwise",
  log: "the gateway logged no error",
  leaks: "nothing grew with time or turnover",
} as const;
export type PromiseName = keyof typeof PROMISES;

/** One link may be opened before the one that it replaces is closed. */
const LINKS_OVERLAP = 1;
/** A machine that has no processor left answers one or the other too late; they come back. */
const REFUSED_SHARE = 1 / 5000;
const RESTARTS: ReadonlySet<PhaseKind> = new Set(["drain", "drain_to_tls", "crash"]);

/** What one sample shows by itself. Pure. */
export function checkSample(sample: Sample, before: Sample | undefined): Broken[] {
  const { inside, outside, metrics, links } = sample;
  const broken: Broken[] = [];
  const active = (inside.books.sse ?? 0) + (inside.books.websocket ?? 0);
  if (inside.opened - inside.closed !== active)
    broken.push({
      promise: "books",
      detail: `${inside.opened} opened less ${inside.closed} closed is not ${active} open`,
    });
  if (inside.reclaimed + metrics.reclaimed > 0)
    broken.push({
      promise: "sweep",
      detail: `the sweep found ${Math.max(inside.reclaimed, metrics.reclaimed)}`,
    });
  if (outside !== null && outside.rssBytes > MEMORY_MAX)
    broken.push({ promise: "memory", detail: `${outside.rssBytes} bytes resident` });
  // What the proxy has still to pass on makes the feed count late, so it has to be so twice.
  const bound = LINKS_MAX + LINKS_OVERLAP;
  if (links > bound && before !== undefined && before.links > bound)
    broken.push({ promise: "links", detail: `the feed counted ${links} links, then still ${before.links}` });
  return broken;
}

/**
 * How many were not let in during a phase. Pure.
 *
 * @param refusals by reason, to be told
 */
export function checkAdmission(
  kind: PhaseKind,
  refused: number,
  begun: number,
  refusals: Readonly<Record<string, number>>,
): Broken | null {
  if (refused <= begun * REFUSED_SHARE || RESTARTS.has(kind)) return null;
  const detail = `${refused} of ${begun} were not let in during ${kind}: ${JSON.stringify(refusals)}`;
  return { promise: "admission", detail };
}

/**
 * What clients reported. A loss is none where nobody knows whether the event was published. Pure.
 *
 * @param unsure numbers by topic
 */
export function checkBreaches(
  breaches: readonly Breach[],
  unsure: ReadonlyMap<string, ReadonlySet<number>>,
): Broken[] {
  return breaches.flatMap(({ kind, topic, from, to }): Broken[] => {
    const doubtful = unsure.get(topic);
    if (kind === "lost" && doubtful !== undefined) {
      let missing = 0;
      for (let number = from; number <= to; number++) if (!doubtful.has(number)) missing++;
      if (missing === 0) return [];
    }
    const what =
      kind === "lost"
        ? `${topic}: ${from} to ${to} never came, and nobody was told`
        : `${topic}: ${from} came again or late, after ${to}`;
    return [{ promise: "delivery", detail: what }];
  });
}
