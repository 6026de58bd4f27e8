import type { Benchmark } from "../harness/benchmark.ts";
import type { Contender } from "../harness/contenders.ts";
import { startOne } from "../harness/contenders.ts";
import { BenchGateway } from "../harness/gateway.ts";
import type { Opening } from "../harness/loader.ts";
import { median } from "../harness/machine.ts";

const CONNECTIONS = 2000;
const ROUNDS = 3;

/**
 * Connections taken in, signed in and subscribed a second and core, each with a token that was not seen before, so
 * that its signature is checked; against a Node `ws` echo server, which takes the upgrade and no more.
 */
export const accept: Benchmark = {
  name: "accept",
  about: "connections accepted, signed in by token and subscribed a second and core, against ws upgrades",
  async run(bench) {
    await using gateway = await BenchGateway.start(bench.machine);
    await using peer = await startOne(bench.machine, "node", "websocket");
    const [token] = await gateway.tokens(1);
    const fresh = { sse: [] as number[], websocket: [] as number[] };
    const known = { sse: [] as number[], websocket: [] as number[] };
    const upgrades: number[] = [];
    const peerClients = await peer.clients(1);
    const own = (opening: Opening) => perSecond(gateway, opening);
    for (const wire of ["sse", "websocket"] as const) await own(await gateway.clients(wire, CONNECTIONS));
    await perSecond(peer, peerClients);
    for (let round = 0; round < ROUNDS; round++) {
      upgrades.push(await perSecond(peer, peerClients));
      for (const wire of ["sse", "websocket"] as const) {
        fresh[wire].push(await own(await gateway.clients(wire, CONNECTIONS)));
        known[wire].push(await own(await gateway.sameClients(wire, token as string)));
      }
    }
    const goal = { goal: 0.6, worst: 0.4, is: "least" } as const;
    for (const wire of ["websocket", "sse"] as const) {
      for (const [values, what] of [
        [fresh[wire], "token not seen before"],
        [known[wire], "token seen lately"],
      ] as const) {
        const ratios = values.map((value, round) => value / (upgrades[round] ?? Number.NaN));
        bench.figure({
          what: `${wire}, ${what}, against ws upgrades`,
          value: median(ratios),
          of: ratios,
          unit: "×",
          goal,
        });
        bench.figure({ what: `${wire}, ${what}`, value: median(values), of: values, unit: "/s" });
      }
    }
    bench.figure({ what: "ws upgrades", value: median(upgrades), of: upgrades, unit: "/s" });
  },
};

async function perSecond(server: Pick<Contender, "loader" | "cpuUs">, opening: Opening): Promise<number> {
  const before = await server.cpuUs();
  await server.loader.churn(CONNECTIONS, opening);
  return CONNECTIONS / (((await server.cpuUs()) - before) / 1e6);
}
