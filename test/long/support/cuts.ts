import { SystemClock } from "#base/system-clock.ts";
import { brokenUnlessZero, type StormResult } from "../upstream-storm/report.ts";
import { Crew } from "./crew.ts";
import type { CutsCommand, CutsTally } from "./cuts-clients.ts";
import { CLIENT_ROLE, GatewayProcess, PUBLISHER_ROLE } from "./gateway-process.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { Publisher } from "./publisher.ts";
import { holdsWithin, passed } from "./waiting.ts";

export interface CutsOptions {
  /** Half of them by each transport. */
  readonly clients: number;
  /** Processes that they are in. */
  readonly processes: number;
  readonly seconds: number;
  /** One in so many clients is cut every second. */
  readonly oneIn: number;
  readonly eventsPerSecond: number;
  /** How far the log reaches back. */
  readonly logAgeMs: number;
  readonly seed: number;
}

const TOPIC = "/cuts/all";
const EVENT_BYTES = 100;
/** Longer than the log reaches back. */
const LONG_AWAY_MS = 1500;
const WITHIN_MS = 60_000;

/**
 * Clients with one topic are cut at random while events flow, and come back. Who resumed within the log has to have
 * every event once and in order; who could not has to be told, and for a reason.
 */
export async function runCuts(options: CutsOptions): Promise<StormResult> {
  const { clients, processes, seconds, oneIn, eventsPerSecond, logAgeMs, seed } = options;
  const clock = new SystemClock();
  // Silent ones count until they are found out, so there are more connections than clients.
  await using gateway = await GatewayProcess.start(
    clock,
    "/cuts/*",
    `limits: { connections: ${2 * clients}, connectionsPerAddress: ${2 * clients}, connectionsPerSecond: 100000 }
log: { ageMax: ${logAgeMs}ms }
heartbeat: { interval: 4s, timeout: 3s }`,
  );
  const tokens = await gateway.tokens(CLIENT_ROLE, clients);
  const [publisherToken = ""] = await gateway.tokens(PUBLISHER_ROLE, 1);
  const publisher = new Publisher(gateway.url, publisherToken, TOPIC, clock);
  await using crew = new Crew<CutsCommand>(new URL("./cuts-clients.ts", import.meta.url), processes);
  const door = { host: gateway.host, port: gateway.port, topic: TOPIC, isAlone: true };
  const each = Math.ceil(clients / processes);
  const startedMs = clock.monotonicMs();
  const out = await crew.ask<number>((index) => ({
    do: "open",
    door,
    tokens: tokens.slice(index * each, (index + 1) * each),
    seed: seed + index,
  }));
  if (total(out) > 0) throw new Error(`${total(out)} clients did not get in`);
  const enteredMs = clock.monotonicMs() - startedMs;

  const memoryBefore = gateway.memoryBytes();
  const cpuBefore = gateway.cpuSeconds();
  const clientsBefore = total(await crew.ask<number>({ do: "cpu" }));
  const cuttingMs = clock.monotonicMs();
  const playing = publisher.play(eventsPerSecond, EVENT_BYTES);
  await crew.ask({ do: "cut", oneIn, longAwayMs: logAgeMs + LONG_AWAY_MS });
  await Promise.race([playing, passed(clock, seconds * 1000)]);
  const cutMs = clock.monotonicMs() - cuttingMs;
  const cpuShare = (gateway.cpuSeconds() - cpuBefore) / (cutMs / 1000);
  const cpuOfClients = total(await crew.ask<number>({ do: "cpu" })) - clientsBefore;
  const memoryGrown = gateway.memoryBytes() - memoryBefore;
  const notBack = total(await crew.ask<number>({ do: "rest" }));
  publisher.stop();
  await playing;
  await publisher.publish(EVENT_BYTES);
  const behind = total(await crew.ask<number>({ do: "await", number: publisher.head, withinMs: WITHIN_MS }));
  const tallies = await crew.ask<CutsTally>({ do: "tally" });
  await crew.ask({ do: "leave" });
  const left = async () => (await gateway.metrics()).get("streamkeeper_connections") ?? Number.NaN;
  await holdsWithin(clock, WITHIN_MS, async () => (await left()) === 0);
  const metrics = await gateway.metrics();
  const metric = (name: string) => metrics.get(`streamkeeper_${name}`) ?? 0;

  const sum = (what: (tally: CutsTally) => number) => total(tallies.map(what));
  const cuts = sum((tally) => total(Object.values(tally.cuts)));
  const told = tallies.flatMap((tally) => tally.told);
  const back = new LatencyHistogram();
  for (const tally of tallies) back.add(new LatencyHistogram(tally.back));
  const aimed = clients / oneIn;
  const figures = {
    "clients, half by each transport": clients,
    "seconds to let all in": enteredMs / 1000,
    "seconds of cutting": cutMs / 1000,
    "events published": publisher.head,
    "events received": sum(({ events }) => events),
    "cuts: closed / reset / half-closed / silent": (["destroyed", "reset", "half_closed", "silent"] as const)
      .map((how) => sum((tally) => tally.cuts[how]).toLocaleString("en-GB"))
      .join(" / "),
    "cuts a second, aimed at": aimed,
    "cuts a second, reached": cuts / (cutMs / 1000),
    "of the clients, % a second": (100 * cuts) / (cutMs / 1000) / clients,
    "drawn to be cut, still on their way back": sum(({ passedOver }) => passedOver),
    "cuts left out, hardly any being there": sum(({ leftOut }) => leftOut),
    "milliseconds until subscribed again, median": back.percentileMs(0.5),
    "the same, p99": back.percentileMs(0.99),
    "gateway's share of a core": cpuShare,
    "gateway's CPU time per cut, µs, its deliveries and all": (1e6 * cpuShare * (cutMs / 1000)) / cuts,
    "clients' share of a core": cpuOfClients / (cutMs / 1000),
    "clients' CPU time per cut, µs": (1e6 * cpuOfClients) / cuts,
    "gateway's memory grown by, MB": memoryGrown / 1e6,
    "came back and resumed": sum(({ resumed }) => resumed),
    "came back and were told": told.length,
    "events that those do not have": sum(({ forgone }) => forgone),
    "told, though the log must have had all": told.filter(([last, atMs]) => {
      const missedMs = publisher.sentMs[last + 1];
      return missedMs === undefined || atMs - missedMs < logAgeMs;
    }).length,
    "events lost and not told": sum(({ lost }) => lost),
    "events repeated or out of order": sum(({ repeated }) => repeated),
    "clients not back": notBack,
    "clients without the last event": behind,
    "half-closed, not ended by the gateway": sum(({ leftHalfClosed }) => leftHalfClosed),
    "connections left when all have gone": metric("connections"),
    "opened less closed": metric("connections_opened_total") - metric("connections_closed_total"),
    "reclaimed by the sweep": metric("sweep_reclaimed_total"),
    "ended, and not by a cut": endsOf(tallies),
  };
  const broken = brokenUnlessZero(
    figures,
    "told, though the log must have had all",
    "events lost and not told",
    "events repeated or out of order",
    "clients not back",
    "clients without the last event",
    "half-closed, not ended by the gateway",
    "connections left when all have gone",
    "opened less closed",
    "reclaimed by the sweep",
  );
  for (const name of ["came back and resumed", "came back and were told"] as const)
    if (figures[name] === 0) broken.push(`${name}: none, so that nothing is shown`);
  broken.push(...tallies.flatMap(({ examples }) => examples));
  return { name: "cuts", figures, broken };
}

function endsOf(tallies: readonly CutsTally[]): string {
  const ends = new Map<string, number>();
  for (const { ended } of tallies)
    for (const [why, count] of Object.entries(ended)) ends.set(why, (ends.get(why) ?? 0) + count);
  return [...ends].map(([why, count]) => `${count} × ${why}`).join("; ") || "none";
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
