/**
 * The demo feed's process. Tells its port over the IPC channel, or on standard output without one; ends with its
 * parent (the channel closes) and on SIGTERM.
 */
import { parseArgs } from "node:util";
import { messageOf } from "#base/errors.ts";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { openDemoFeed } from "./server.ts";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "0" },
    "events-per-second": { type: "string", default: "10" },
    "reset-seconds": { type: "string", default: "30" },
    seed: { type: "string", default: String(process.pid) },
  },
});

try {
  const resetMs = number("reset-seconds", 0, 86_400) * 1000;
  const feed = await openDemoFeed(
    {
      host: values.host,
      port: number("port", 0, 65_535),
      eventsPerSecond: number("events-per-second", 0.1, 1000),
      resetEveryMs: resetMs === 0 ? null : [resetMs * (2 / 3), resetMs * (4 / 3)],
    },
    new SystemClock(),
    seededRandom(number("seed", 0, 2 ** 32)),
  );
  const close = () => void feed.close().then(() => process.exit(0));
  process.on("SIGTERM", close);
  if (process.send === undefined) {
    process.on("SIGINT", close);
    console.log(`demo feed on http://${values.host}:${feed.port}/quotes?symbols=AAPL,MSFT`);
  } else {
    // A terminal's Ctrl-C reaches parent and child alike; the parent drains first and then closes the channel.
    process.on("SIGINT", () => {});
    process.on("disconnect", close);
    process.send({ port: feed.port });
  }
} catch (thrown) {
  console.error(`demo feed: ${messageOf(thrown)}`);
  process.exit(1);
}

function number(name: keyof typeof values, min: number, max: number): number {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  throw new RangeError(`--${name} must be a number from ${min} to ${max}`);
}
