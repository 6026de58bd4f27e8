import { connect } from "node:net";
import { silentLogger } from "#base/logger.ts";
import { WebSocketClient } from "../../helpers/websocket-client.ts";
import { median, percentile, type StormResult } from "./report.ts";
import { Rig } from "./rig.ts";

export interface ReconnectOptions {
  readonly resets: number;
  readonly retryMinMs: number;
}

const ROUND_TRIPS = 21;

/** A link is reset again and again, each time while it is healthy; how long until the next stream is open. */
export async function runReconnect({ resets, retryMinMs }: ReconnectOptions): Promise<StormResult> {
  const openMs: number[] = [];
  await using rig = await Rig.open({
    feed: { keys: 1 },
    settings: [
      "pool: { keysPerLink: 10, linksMax: 1 }",
      // Every link counts as healthy at once, so that each reset is a first one.
      `retry: { min: ${retryMinMs}ms, max: 30s, resetAfter: 0s }`,
    ],
    log: {
      ...silentLogger,
      info: (_, message) => {
        if (message === "link open") openMs.push(performance.now());
      },
    },
  });
  const { source, proxy, gateway } = rig;
  using client = await WebSocketClient.signedIn(gateway.url, rig.token);
  await client.subscribe(`/quotes/${source.events.keys[0]}`);
  await rig.until("the link", () => openMs.length === 1);
  const roundTrips: number[] = [];
  for (let index = 0; index < ROUND_TRIPS; index++) roundTrips.push(await roundTripMs(proxy.port));
  const times: number[] = [];
  for (let index = 0; index < resets; index++) {
    source.publish();
    await client.data(index + 1);
    const resetMs = performance.now();
    proxy.inject({ do: "reset" });
    await rig.until("the link again", () => openMs.length === index + 2);
    times.push((openMs[index + 1] as number) - resetMs);
  }
  const allowedMs = retryMinMs + median(roundTrips);
  const figures = {
    resets,
    "retry.min in ms": retryMinMs,
    "round trip to the feed in ms, median": median(roundTrips),
    "reconnected in ms, median": median(times),
    "allowed, median": allowedMs,
    "fastest / 95th percentile / slowest": [Math.min(...times), percentile(times, 0.95), Math.max(...times)]
      .map((ms) => ms.toFixed(1))
      .join(" / "),
    "events delivered": client.publications.length,
  };
  const broken: string[] = [];
  if (median(times) > allowedMs) broken.push(`reconnected in ${median(times)} ms`);
  if (client.publications.length !== resets) broken.push("events were lost or came twice");
  return { name: "reconnect", figures, broken };
}

/** From the dial to the first byte of the answer, by the way that links take. */
function roundTripMs(port: number): Promise<number> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /quotes?symbols=none HTTP/1.1\r\nHost: feed\r\n\r\n");
    socket.once("data", () => {
      resolve(performance.now() - startMs);
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
