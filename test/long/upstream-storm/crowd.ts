import { streamAnswer } from "#lab/fault-feed/answer.ts";
import { Fleet } from "./fleet.ts";
import { brokenUnlessZero, type StormResult } from "./report.ts";
import { Rig } from "./rig.ts";

export interface CrowdOptions {
  readonly name: string;
  readonly subscribers: number;
  readonly keys: number;
  readonly keysPerLink: number;
  readonly linksMax: number;
  /** 0: links are not rotated. Shorter than a file may say. */
  readonly rotateAfterMs: number;
  readonly seed: number;
}

/** Keys come in so many steps. */
const STEPS = 10;
const EVENTS_PER_SECOND = 1000;
const LINGER_MS = 300;
/** Pools merge links after a quiet second, and hand a silent key over after two. */
const QUIET_MS = 2500;
const WITHIN_MS = 60_000;

/** Many subscribers come, lose their links, go by halves and come back; how many connections the feed sees meanwhile. */
export async function runCrowd(options: CrowdOptions): Promise<StormResult> {
  const { name, subscribers, keys, keysPerLink, linksMax, rotateAfterMs, seed } = options;
  await using rig = await Rig.open({
    feed: { keys },
    direct: true,
    settings: [
      `pool: { keysPerLink: ${keysPerLink}, linksMax: ${linksMax}, linger: ${LINGER_MS}ms, gather: 20ms }`,
      "health: { idleTimeout: 5s, connectTimeout: 5s }",
      "retry: { min: 50ms, max: 500ms, resetAfter: 1s }",
    ],
    adjust: (config) => ({
      ...config,
      feeds: config.feeds.map((feed) => ({ ...feed, health: { ...feed.health, rotateAfterMs } })),
    }),
  });
  const { source, gateway, clock } = rig;
  const startedMs = clock.monotonicMs();
  let most = 0;
  source.answers = () => {
    // A link that makes room for another is closed before that one is dialled, but both lie in the same turn's
    // events here, and the end of a response takes a turn more.
    setImmediate(() =>
      setImmediate(() => {
        most = Math.max(most, source.connections);
      }),
    );
    return streamAnswer;
  };
  await using fleet = await Fleet.open(gateway.url, rig.token, seed);
  const all = source.events.keys;
  const ofEachKey = Math.max(2, Math.round(subscribers / keys));
  const calm = () => {
    const untilMs = clock.monotonicMs() + QUIET_MS;
    return rig.until("quiet", () => clock.monotonicMs() >= untilMs);
  };
  void source.play(10_000_000, EVENTS_PER_SECOND);
  const step = Math.ceil(keys / STEPS);
  for (let from = 0; from < keys; from += step) {
    await fleet.enter({ keys: all.slice(from, from + step), ofEachKey, behaviour: "stays" });
  }
  await rig.served(all);
  const enteredMs = clock.monotonicMs() - startedMs;
  const { connections } = gateway.stats();
  const inAll = connections.sse + connections.websocket;
  source.resetConnections();
  await calm();
  await rig.served(all);
  const leaving = all.filter((_, index) => index % 2 === 0);
  await fleet.leave(leaving);
  await rig.until("the keys to be let go", () => gateway.stats().keys === keys - leaving.length);
  await calm();
  const linksOfHalf = source.streams;
  await fleet.comeAnew(leaving);
  await calm();
  await rig.served(all);
  const last = Math.ceil(source.head / keys);
  const behind = await fleet.behind(last, WITHIN_MS);
  const tally = await fleet.tally();
  const bound = linksMax + (rotateAfterMs > 0 ? 1 : 0);
  const figures = {
    subscribers: inAll,
    "of them by SSE / by WebSocket": `${connections.sse} / ${connections.websocket}`,
    keys,
    "keysPerLink / linksMax": `${keysPerLink} / ${linksMax}`,
    "rotateAfter in ms": rotateAfterMs,
    "seconds to let all in": enteredMs / 1000,
    "slowest hundred to be let in, ms": Math.round(tally.slowestMs),
    "upstream requests": source.requests.length,
    "most at one time, as the feed counts": most,
    "the same, with those whose end is on its way": source.peaks.connections,
    "allowed at one time": bound,
    "in calm, all keys / half of them": `${source.streams} / ${linksOfHalf}`,
    deliveries: tally.events,
    "connections cut by the gateway": tally.cuts,
    "without the last event": behind,
    "events lost": tally.lost,
    "events doubled": tally.doubled,
    "events out of order": tally.disordered,
  };
  const broken = brokenUnlessZero(
    figures,
    "connections cut by the gateway",
    "without the last event",
    "events lost",
    "events doubled",
    "events out of order",
  );
  if (most > bound) broken.push(`${most} connections at one time`);
  if (inAll !== ofEachKey * keys) broken.push(`${inAll} of ${ofEachKey * keys} subscribers got in`);
  if (broken.length > 0) broken.push(...tally.examples);
  return { name, figures, broken };
}
