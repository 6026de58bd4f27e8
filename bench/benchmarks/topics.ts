import type { Benchmark } from "../harness/benchmark.ts";
import { BenchGateway } from "../harness/gateway.ts";
import { median } from "../harness/machine.ts";

const CLIENTS = 1000;
const TOPICS = 100_000;
const EVENTS_PER_S = 50;
const WINDOW_MS = 1200;
const FILL_MS = 1500;
const FILLS_MAX = 10;
const ROUNDS = 3;

/** Two gateways side by side, an empty one and one with 100,000 topics with a state each and its log at its bound. */
export const topics: Benchmark = {
  name: "topics",
  about: "CPU of a delivery with 100,000 topics and a log at its bound, against an empty gateway",
  async run(bench) {
    await using empty = await BenchGateway.start(bench.machine);
    await using full = await BenchGateway.start(bench.machine, { state: "last" });
    for (const gateway of [empty, full])
      await gateway.loader.open(CLIENTS, await gateway.clients("sse", CLIENTS));
    for (let fill = 0; (await full.metric("streamkeeper_topics")) < TOPICS; fill++) {
      if (fill === FILLS_MAX) throw new Error("the gateway did not take 100,000 topics in");
      await full.loader.flood(FILL_MS, TOPICS);
    }
    bench.figure({ what: "topics", value: await full.metric("streamkeeper_topics"), unit: "" });
    bench.figure({
      what: "log",
      value: (await full.metric("streamkeeper_log_bytes")) / 2 ** 20,
      unit: "MiB",
    });
    for (const gateway of [empty, full]) await sample(gateway);
    const ratios: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const base = await sample(empty);
      ratios.push((await sample(full)) / base);
    }
    const goal = { goal: 1.1, worst: 1.3, is: "most" } as const;
    bench.figure({
      what: "CPU per delivery, full against empty",
      value: median(ratios),
      of: ratios,
      unit: "×",
      goal,
    });
  },
};

async function sample(gateway: BenchGateway): Promise<number> {
  const before = await gateway.cpuUs();
  const { deliveries } = await gateway.loader.rate(EVENTS_PER_S, 1, WINDOW_MS);
  return ((await gateway.cpuUs()) - before) / deliveries;
}
