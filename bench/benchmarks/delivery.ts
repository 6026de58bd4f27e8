import type { Bench, Benchmark } from "../harness/benchmark.ts";
import { CONTENDERS, type Contender, type ContenderName, startAll } from "../harness/contenders.ts";
import { median } from "../harness/machine.ts";
import type { Wire } from "../harness/records.ts";
import type { Goal } from "../harness/report.ts";

const CLIENTS = 1000;
const EVENTS_PER_S = 50;
const BURST = 8;
const WINDOW_MS = 1000;
const WARM_UP_MS = 1000;
const ROUNDS = 3;

const SINGLE: Goal = { goal: 1.25, worst: 1.5, is: "most" };
const BURSTS: Goal = { goal: 1.5, worst: 2, is: "most" };
const LATENCY: Goal = { goal: 1, worst: 1.3, is: "most" };

/** CPU of the server's process for each delivery, user and kernel, at 50,000 deliveries a second. */
export const delivery: Benchmark = {
  name: "delivery",
  about:
    "CPU of a delivery: 1,000 clients, 50,000 deliveries a second, events one by one and eight at a time",
  async run(bench) {
    for (const wire of ["sse", "websocket"] as const) await measure(bench, wire);
  },
};

interface Sample {
  readonly us: number;
  readonly p99Ms: number;
}

async function measure(bench: Bench, wire: Wire): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const contenders = await startAll(bench.machine, CONTENDERS, wire, (why) => bench.skipped(why));
  for (const contender of contenders) stack.use(contender);
  for (const { loader, clients } of contenders) await loader.open(CLIENTS, await clients(CLIENTS));
  // Compilers warm up, as they have in a process that runs for months.
  for (const { loader } of contenders) await loader.rate(4 * EVENTS_PER_S, 1, WARM_UP_MS);
  const single = await rounds(contenders, 1);
  const bursts = await rounds(contenders, BURST);
  ratio(bench, `${wire}, single events, against the C loop`, single, "c", SINGLE);
  ratio(bench, `${wire}, bursts of 8, against the coalescing C loop`, bursts, "c-coalescing", BURSTS);
  for (const other of ["node", "nchan"] as const) {
    ratio(bench, `${wire}, single events, against ${other}`, single, other);
    ratio(bench, `${wire}, bursts of 8, against ${other}`, bursts, other);
  }
  const [own, peer] = [single.get("streamkeeper"), single.get("nchan")];
  if (own !== undefined && peer !== undefined) {
    const ratios = own.map(({ p99Ms }, round) => p99Ms / (peer[round]?.p99Ms ?? Number.NaN));
    bench.figure({
      what: `${wire}, single events, p99 latency against nchan`,
      value: median(ratios),
      of: ratios,
      unit: "×",
      goal: LATENCY,
    });
  }
  for (const [name, samples] of single) absolute(bench, `${wire}, single events: ${name}`, samples);
  for (const [name, samples] of bursts) absolute(bench, `${wire}, bursts of 8: ${name}`, samples);
}

type Samples = ReadonlyMap<ContenderName, readonly Sample[]>;

/** Turn and turn about, so that what the machine does meanwhile falls on all of them. */
async function rounds(contenders: readonly Contender[], burst: number): Promise<Samples> {
  const samples = new Map<ContenderName, Sample[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of contenders) samples.get(contender.name)?.push(await sample(contender, burst));
  }
  return samples;
}

async function sample(contender: Contender, burst: number): Promise<Sample> {
  const { loader, name } = contender;
  const before = await contender.cpuUs();
  const counted = await loader.rate(EVENTS_PER_S, burst, WINDOW_MS);
  const us = ((await contender.cpuUs()) - before) / counted.deliveries;
  if (counted.deliveries !== counted.sent * CLIENTS)
    throw new Error(`${name} delivered ${counted.deliveries} of ${counted.sent * CLIENTS}`);
  return { us, p99Ms: counted.p99Ms };
}

function ratio(bench: Bench, what: string, samples: Samples, other: ContenderName, goal?: Goal): void {
  const own = samples.get("streamkeeper");
  const peer = samples.get(other);
  if (own === undefined || peer === undefined) return;
  const ratios = own.map(({ us }, round) => us / (peer[round]?.us ?? Number.NaN));
  bench.figure({
    what: `CPU per delivery, ${what}`,
    value: median(ratios),
    of: ratios,
    unit: "×",
    ...(goal === undefined ? {} : { goal }),
  });
}

function absolute(bench: Bench, what: string, samples: readonly Sample[]): void {
  const us = samples.map((sample) => sample.us);
  bench.figure({ what: `CPU per delivery, ${what}`, value: median(us), of: us, unit: "µs" });
}
