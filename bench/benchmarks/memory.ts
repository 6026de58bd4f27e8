import { setTimeout as pause } from "node:timers/promises";
import type { Bench, Benchmark } from "../harness/benchmark.ts";
import { startAll } from "../harness/contenders.ts";
import { BenchGateway } from "../harness/gateway.ts";
import type { Wire } from "../harness/records.ts";
import type { Goal } from "../harness/report.ts";

const CLIENTS = 6000;
/** Long enough for Node to collect what opening left behind. */
const SETTLE_MS = 2000;
const GOALS: Record<Wire, Goal> = {
  sse: { goal: 4, worst: 5, is: "most" },
  websocket: { goal: 5, worst: 7, is: "most" },
};

const ROUNDS = 10;
const PER_ROUND = 5000;
const AFTERWARDS_MS = 10_000;

/** Resident memory, the kernel's own for sockets not counted; nobody makes the gateway collect its garbage. */
export const memory: Benchmark = {
  name: "memory",
  about: "memory of an idle, signed-in, subscribed connection, 6,000 of them",
  async run(bench) {
    for (const wire of ["sse", "websocket"] as const) await idle(bench, wire);
  },
};

async function idle(bench: Bench, wire: Wire): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const contenders = await startAll(bench.machine, ["streamkeeper", "node", "nchan"], wire, (why) =>
    bench.skipped(why),
  );
  for (const contender of contenders) stack.use(contender);
  for (const contender of contenders) {
    const { loader, name } = contender;
    const clients = await contender.clients(CLIENTS);
    // The first ones bring code and tables with them that all share.
    await loader.open(100, clients);
    await loader.close();
    await pause(SETTLE_MS);
    const before = contender.pssBytes;
    await loader.open(CLIENTS, clients);
    await pause(SETTLE_MS);
    const value = (contender.pssBytes - before) / CLIENTS / 1000;
    const goal = name === "streamkeeper" ? { goal: GOALS[wire] } : {};
    bench.figure({ what: `${wire}: ${name}`, value, unit: "kB", ...goal });
    await loader.close();
  }
}

/** What is left when connections have come and gone, half of each transport, 5,000 at a time. */
export const churn: Benchmark = {
  name: "churn",
  about: "memory above start after 50,000 connections have come and gone, 5,000 at a time, both transports",
  async run(bench) {
    await using gateway = await BenchGateway.start(bench.machine);
    const { loader } = gateway;
    const sse = await gateway.clients("sse", PER_ROUND / 2);
    const websocket = await gateway.clients("websocket", PER_ROUND / 2);
    const round = async () => {
      await loader.open(PER_ROUND / 2, sse);
      await loader.open(PER_ROUND / 2, websocket);
      await loader.close();
    };
    const residentMb = () => gateway.memoryBytes("Rss") / 1e6;
    await pause(SETTLE_MS);
    const fresh = residentMb();
    await round();
    await pause(AFTERWARDS_MS);
    const start = residentMb();
    for (let index = 0; index < ROUNDS; index++) await round();
    const atOnce = residentMb();
    await pause(AFTERWARDS_MS);
    const goal = { goal: 10, worst: 20, is: "most" } as const;
    bench.figure({
      what: "above the start, ten seconds later",
      value: residentMb() - start,
      unit: "MB",
      goal,
    });
    bench.figure({ what: "above the start, at once", value: atOnce - start, unit: "MB" });
    bench.figure({ what: "the start, after a first round of 5,000", value: start, unit: "MB" });
    bench.figure({ what: "before the first connection", value: fresh, unit: "MB" });
  },
};
