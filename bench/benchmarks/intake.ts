import type { Benchmark } from "../harness/benchmark.ts";
import { BenchGateway } from "../harness/gateway.ts";
import { median } from "../harness/machine.ts";

const FLOOD_MS = 1000;
const ROUNDS = 3;

/** From the feed's socket through link, parser, mapping and hub into the log, which is at its bound. Nobody listens. */
export const intake: Benchmark = {
  name: "intake",
  about: "events taken in from upstream a second and core: 100 bytes, keyed by a JSON field, logged",
  async run(bench) {
    for (const state of ["none", "last", "merge"] as const) {
      await using gateway = await BenchGateway.start(bench.machine, { state });
      await gateway.loader.flood(FLOOD_MS, 1000);
      const rates: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const [events, cpuUs] = [await taken(gateway), await gateway.cpuUs()];
        await gateway.loader.flood(FLOOD_MS, 1000);
        // The metrics' own cost falls into the window, some milliseconds of it.
        rates.push(((await taken(gateway)) - events) / (((await gateway.cpuUs()) - cpuUs) / 1e6));
      }
      const goal = state === "none" ? { goal: { goal: 200_000, worst: 100_000, is: "least" } as const } : {};
      bench.figure({
        what: `state: ${state}, 1,000 topics`,
        value: median(rates),
        of: rates,
        unit: "/s",
        ...goal,
      });
    }
  },
};

function taken(gateway: BenchGateway): Promise<number> {
  return gateway.metric("streamkeeper_feed_events_total");
}
