import type { Bench, Benchmark } from "../harness/benchmark.ts";
import { BenchGateway } from "../harness/gateway.ts";
import { Loader } from "../harness/loader.ts";
import { median } from "../harness/machine.ts";
import type { Wire } from "../harness/records.ts";

const LIVE = 1000;
const RESUMING = 1000;
const MISSED = 1000;
const EVENTS_PER_S = 20;
const WINDOW_MS = 2000;
const WAIT_MS = 30_000;
const ROUNDS = 3;

/** 1,000 clients come back at once and each gets 1,000 events, while 1,000 others are served as always. */
export const resume: Benchmark = {
  name: "resume",
  about: "1,000 clients resume 1,000 events each at once: what the 1,000 others notice",
  async run(bench) {
    for (const wire of ["sse", "websocket"] as const) await measure(bench, wire);
  },
};

async function measure(bench: Bench, wire: Wire): Promise<void> {
  await using gateway = await BenchGateway.start(bench.machine);
  await using comeback = await Loader.start(bench.machine);
  const since = await gateway.cursor();
  await gateway.loader.rate(10_000, 100, (MISSED / 10_000) * 1000);
  await gateway.loader.open(LIVE, await gateway.clients("sse", LIVE));
  const returning = await gateway.clients(wire, RESUMING, since);
  const ratios: number[] = [];
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const rest = await gateway.loader.rate(EVENTS_PER_S, 1, WINDOW_MS);
    const before = await gateway.cpuUs();
    const [live, returned] = await Promise.all([
      gateway.loader.rate(EVENTS_PER_S, 1, WINDOW_MS),
      comeback.open(RESUMING, returning).then(() => comeback.await(RESUMING * MISSED, WAIT_MS)),
    ]);
    if (returned.deliveries < RESUMING * MISSED)
      throw new Error(`${returned.deliveries} of ${RESUMING * MISSED} missed events came`);
    ratios.push(live.p99Ms / rest.p99Ms);
    costs.push(((await gateway.cpuUs()) - before) / returned.deliveries);
    await comeback.close();
  }
  const goal = { goal: 1.5, worst: 2, is: "most" } as const;
  bench.figure({
    what: `p99 latency of the others, ${wire} against at rest`,
    value: median(ratios),
    of: ratios,
    unit: "×",
    goal,
  });
  bench.figure({
    what: `CPU per replayed event, live deliveries included, ${wire}`,
    value: median(costs),
    of: costs,
    unit: "µs",
  });
}
