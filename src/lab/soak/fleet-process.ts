/** The process of a soak's clients. Told over IPC what to do by `fleet.ts`; it ends with its parent. */
import { type Random, seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import type { Door } from "./client.ts";
import type { Envelope, FleetCommand } from "./fleet-protocol.ts";
import { emptyTally, type FleetReport } from "./fleet-tally.ts";
import { type Breach, Ledger } from "./ledger.ts";
import { Visitor, type VisitorContext } from "./visitor.ts";
import { type Witness, witnessesOf } from "./witness.ts";

const TICK_MS = 10;
const LOOK_MS = 20;
/** Visitors at the same time: a gateway that answers slowly is not piled up on. */
const VISITORS_MAX = 700;
const BREACHES_MAX = 200;

const clock = new SystemClock();
const tally = emptyTally();
const visitors = new Set<Visitor>();
let witnesses: Witness[] = [];
let breaches: Breach[] = [];
let door: Door | null = null;
let random: Random = seededRandom(1);
let keys: readonly string[] = [];
let perSecond = 0;
let isRoaming = true;
let lastTickMs = clock.monotonicMs();
let owed = 0;

const report = (breach: Breach) => {
  if (breach.kind === "lost") tally.lost += breach.to - breach.from + 1;
  else tally.repeated++;
  if (breaches.length < BREACHES_MAX) breaches.push(breach);
};

const context: VisitorContext = {
  clock,
  get random() {
    return random;
  },
  get keys() {
    return keys;
  },
  tally,
  report,
  door: () => door,
  gone: (visitor) => void visitors.delete(visitor),
  came: (visitor) => void visitors.add(visitor),
};

process.on("message", async ({ id, body }: Envelope<FleetCommand>) => {
  const answer = await perform(body);
  if (process.connected) process.send?.({ id, body: answer } satisfies Envelope<unknown>);
});
process.on("disconnect", () => process.exit());
// The terminal sends it to everybody; the parent decides what it means.
process.on("SIGINT", () => {});

async function perform(command: FleetCommand): Promise<unknown> {
  switch (command.do) {
    case "door":
      door = command.door;
      return null;
    case "begin":
      random = seededRandom(command.seed);
      keys = command.keys;
      witnesses = witnessesOf(
        { clock, random, tally, door: () => door, isRoaming: () => isRoaming },
        command.topics,
        (topic) => new Ledger(topic, report),
      );
      for (const witness of witnesses) witness.come();
      lastTickMs = clock.monotonicMs();
      tick();
      return null;
    case "turnover":
      perSecond = command.perSecond;
      if (perSecond === 0) for (const visitor of visitors) visitor.dismiss();
      return null;
    case "roam":
      isRoaming = command.isRoaming;
      return null;
    case "await": {
      const behind = () =>
        witnesses.filter(({ ledger }) => !ledger.isTold && ledger.last < (command.last[ledger.topic] ?? 0))
          .length;
      await until(() => behind() === 0, command.withinMs);
      return behind();
    }
    case "report": {
      const told = breaches;
      breaches = [];
      return {
        tally,
        breaches: told,
        visitors: visitors.size,
        witnesses: witnesses.filter(({ isUp }) => isUp).length,
      } satisfies FleetReport;
    }
  }
}

/** Begins the visits that are due. What could not be begun is not made up for in a burst. */
function tick(): void {
  const nowMs = clock.monotonicMs();
  owed = Math.min(owed + ((nowMs - lastTickMs) / 1000) * perSecond, Math.max(1, perSecond / 5));
  lastTickMs = nowMs;
  const open = door;
  while (open !== null && owed >= 1 && visitors.size < VISITORS_MAX) {
    owed--;
    new Visitor(context, open, null);
  }
  clock.after(TICK_MS, tick);
}

function until(holds: () => boolean, withinMs: number): Promise<void> {
  const deadlineMs = clock.monotonicMs() + withinMs;
  return new Promise((resolve) => {
    const look = () => {
      if (holds() || clock.monotonicMs() > deadlineMs) resolve();
      else clock.after(LOOK_MS, look);
    };
    look();
  });
}
