import type { Bench, Benchmark } from "../harness/benchmark.ts";
import { type Contender, startAll } from "../harness/contenders.ts";
import { median } from "../harness/machine.ts";
import type { Wire } from "../harness/records.ts";

const CLIENTS = 8000;
const UNDER_WAY = 4;
const WINDOW_MS = 1500;
const ROUNDS = 3;

/** CPU per delivery when events come as fast as they are delivered: servers that put several into one write win. */
export const fullSpeed: Benchmark = {
  name: "full-speed",
  about: "CPU of a delivery at full speed: 8,000 clients, four events under way",
  async run(bench) {
    for (const wire of ["sse", "websocket"] as const) await measure(bench, wire);
  },
};

async function measure(bench: Bench, wire: Wire): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const contenders = await startAll(bench.machine, ["streamkeeper", "nchan"], wire, (why) =>
    bench.skipped(why),
  );
  for (const contender of contenders) stack.use(contender);
  for (const { loader, clients } of contenders) await loader.open(CLIENTS, await clients(CLIENTS));
  for (const contender of contenders) await sample(contender);
  const us = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  const perS = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of contenders) {
      const taken = await sample(contender);
      us.get(contender.name)?.push(taken.us);
      perS.get(contender.name)?.push(taken.perS);
    }
  }
  const [own, peer] = [us.get("streamkeeper"), us.get("nchan")];
  if (own !== undefined && peer !== undefined) {
    const ratios = own.map((each, round) => each / (peer[round] ?? Number.NaN));
    const goal = { goal: 0.4, worst: 0.6, is: "most" } as const;
    bench.figure({
      what: `CPU per delivery, ${wire}, against nchan`,
      value: median(ratios),
      of: ratios,
      unit: "×",
      goal,
    });
  }
  for (const [name, values] of us)
    bench.figure({
      what: `CPU per delivery, ${wire}: ${name}`,
      value: median(values),
      of: values,
      unit: "µs",
    });
  for (const [name, values] of perS)
    bench.figure({
      what: `deliveries a second, ${wire}: ${name}`,
      value: median(values),
      of: values,
      unit: "",
    });
}

async function sample(contender: Contender): Promise<{ us: number; perS: number }> {
  const before = await contender.cpuUs();
  const { deliveries, seconds } = await contender.loader.window(UNDER_WAY, WINDOW_MS);
  return { us: ((await contender.cpuUs()) - before) / deliveries, perS: deliveries / seconds };
}
