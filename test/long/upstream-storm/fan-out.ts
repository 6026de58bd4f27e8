import { seededRandom } from "#base/random.ts";
import { seededAnswers, streamAnswer } from "#lab/fault-feed/answer.ts";
import { type SeededKind, seededScript } from "#lab/fault-proxy/script.ts";
import { Fleet } from "./fleet.ts";
import { brokenUnlessZero, type StormResult } from "./report.ts";
import { Rig } from "./rig.ts";

export interface FanOutOptions {
  readonly name: string;
  /** Keys that subscribers hold all the time. */
  readonly keys: number;
  /** Of these keys. */
  readonly events: number;
  /** Of these keys; a tenth of them leave and return while they roam. */
  readonly subscribers: number;
  /** Events of these keys a second. */
  readonly perSecond: number;
  readonly keysPerLink: number;
  readonly seed: number;
  /** Whether the feed's events have ids. */
  readonly ids: boolean;
  /** `resets`: every connection is reset. `mixed`: half of the faults are silences, truncations and 503 answers. */
  readonly faults: "resets" | "mixed";
  /** Whether subscribers leave and return, and further keys come and go. */
  readonly roaming: boolean;
}

/** With a fifth of the requests answered by 503, half of all faults are resets. */
const MIXED: readonly SeededKind[] = [
  "reset",
  "reset",
  "reset",
  "reset_inside_event",
  "reset_inside_event",
  "silence",
  "truncate",
  "truncate_inside_event",
];
const BUSY_SHARE = 0.2;

/** For each five keys that stay, one comes and goes. */
const VISITED_SHARE = 0.2;
/** Most rounds of events in calm, so that the last loss shows: more than one where subscribers are still being told of a gap. */
const CLOSING_ROUNDS_MAX = 10;
const WITHIN_MS = 20_000;
const CLOSING_MS = 1000;

/** A feed whose connections all end after 10 to 200 events, and subscribers that should not notice. */
export async function runFanOut(options: FanOutOptions): Promise<StormResult> {
  const { name, keys, subscribers, keysPerLink, seed, ids, faults, roaming } = options;
  const visited = roaming ? Math.round(keys * VISITED_SHARE) : 0;
  const all = keys + visited;
  const linksMax = Math.ceil(all / keysPerLink) + 2;
  await using rig = await Rig.open({
    feed: { keys: all, ids },
    settings: [
      `pool: { keysPerLink: ${keysPerLink}, linksMax: ${linksMax}, linger: 150ms, gather: 10ms }`,
      "health: { idleTimeout: 1s, connectTimeout: 2s }",
      "retry: { min: 10ms, max: 50ms, resetAfter: 50ms }",
    ],
  });
  const { source, proxy, gateway, clock } = rig;
  const held = source.events.keys.slice(0, keys);
  await using fleet = await Fleet.open(gateway.url, rig.token, seed);
  const ofEachKey = Math.max(4, Math.round(subscribers / keys));
  // In pairs, one by each transport. Some always stay: a key that is let go has a gap, and says so.
  const returning = roaming ? 2 * Math.ceil(ofEachKey / 20) : 0;
  await fleet.enter({ keys: held, ofEachKey: ofEachKey - returning, behaviour: "stays" });
  if (roaming) {
    await fleet.enter({ keys: held, ofEachKey: returning, behaviour: "returns" });
    await fleet.enter({ keys: source.events.keys.slice(keys), ofEachKey: 2, behaviour: "visits" });
  }
  await rig.served(held);
  let rounds = 0;
  // One of each key in calm: what came before it would be nobody's loss.
  for (; rounds === 0 || (await fleet.behind(1, 2000)) > 0; rounds++) {
    if (rounds > 5) throw new Error("the first events do not arrive");
    source.publish(all);
  }
  const startedMs = clock.monotonicMs();
  const opened = proxy.stats().opened;
  proxy.script = seededScript(seededRandom(seed), { kinds: faults === "resets" ? ["reset"] : MIXED });
  if (faults === "mixed") {
    source.answers = seededAnswers(seededRandom(seed + 1), BUSY_SHARE, [{ kind: "status", status: 503 }]);
  }
  proxy.inject({ do: "reset" });
  if (roaming) await fleet.roam();
  const stormRounds = Math.max(1, Math.round(options.events / keys) - rounds - 1);
  await source.play(stormRounds * all, (options.perSecond * all) / keys);
  rounds += stormRounds;
  await fleet.rest();
  if (ids) await fleet.behind(rounds, WITHIN_MS);
  const tookMs = clock.monotonicMs() - startedMs;
  const { faults: done } = proxy.stats();
  const busy = await rig.metric("link_reconnects_total", 'reason="server_error"');
  proxy.script = () => [];
  source.answers = () => streamAnswer;
  const before = proxy.stats().opened;
  proxy.inject({ do: "reset" });
  await rig.until("calm", () => proxy.stats().active <= proxy.stats().opened - before);
  await rig.served(held);
  let behind = 1;
  for (let closing = 0; behind > 0 && closing < CLOSING_ROUNDS_MAX; closing++) {
    source.publish(all);
    rounds++;
    behind = await fleet.behind(rounds, ids ? WITHIN_MS : CLOSING_MS);
  }
  const tally = await fleet.tally();
  const figures = {
    "events of the feed": rounds * all,
    "keys held / coming and going": `${held.length} / ${visited}`,
    subscribers: tally.subscribers,
    deliveries: tally.events,
    "seconds in the storm": tookMs / 1000,
    "upstream connections opened": proxy.stats().opened - opened,
    linksMax,
    resets: done.reset ?? 0,
    silences: done.silence ?? 0,
    truncations: done.truncate ?? 0,
    "503 answers": busy,
    "gaps upstream, links": await rig.metric("feed_gaps_total"),
    "returns with a cursor": tally.returns,
    "connections cut by the gateway": tally.cuts,
    "without the last event": behind,
    "events lost": tally.lost,
    "events lost and not told": tally.untold,
    "events doubled": tally.doubled,
    "events out of order": tally.disordered,
    "gaps told": tally.gaps,
  };
  const zero = [
    "without the last event",
    "events lost and not told",
    "events doubled",
    "events out of order",
  ];
  const broken = brokenUnlessZero(figures, ...zero, "connections cut by the gateway");
  if (ids) broken.push(...brokenUnlessZero(figures, "events lost"));
  else if (tally.lost === 0) broken.push("nothing was lost, so nothing was shown");
  if (figures.resets < options.events / 1000) broken.push(`only ${figures.resets} resets`);
  if (broken.length > 0) broken.push(...tally.examples);
  return { name, figures, broken };
}
