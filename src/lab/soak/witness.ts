import type { Clock, Timer } from "#base/clock.ts";
import type { Random } from "#base/random.ts";
import { type ClientOwner, type Door, SoakClient, type SoakCursor, type SoakTransport } from "./client.ts";
import { type FleetTally, increment } from "./fleet-tally.ts";
import type { Ledger } from "./ledger.ts";

/** What witnesses share. */
export interface WitnessContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly tally: FleetTally;
  readonly door: () => Door | null;
  /** Whether those that roam leave now; else they stay, and come if they are away. */
  readonly isRoaming: () => boolean;
}

/** When one that was cut comes back, and how long one that roams is here and away, in milliseconds. */
const BACK_MS = [20, 400] as const;
const HERE_MS = [500, 8000] as const;
const AWAY_MS = [5, 1500] as const;
/** How long it waits to be let in. */
const LET_IN_MS_MAX = 20_000;

/**
 * A subscriber that is there for the whole run: whatever happens to its connections, it comes back with its cursor, by
 * the same transport or the other, and its ledger goes on.
 */
export class Witness implements ClientOwner {
  readonly ledger: Ledger;
  readonly #context: WitnessContext;
  readonly #roams: boolean;
  #transport: SoakTransport;
  #client: SoakClient | null = null;
  #from: SoakCursor | null = null;
  #fromEpoch: string | null = null;
  #isLetIn = false;
  #timer: Timer | null = null;

  /** @param roams whether it leaves and comes back by itself too */
  constructor(context: WitnessContext, ledger: Ledger, transport: SoakTransport, roams: boolean) {
    this.#context = context;
    this.ledger = ledger;
    this.#transport = transport;
    this.#roams = roams;
  }

  get isUp(): boolean {
    return this.#isLetIn;
  }

  /** Comes, or does as soon as there is a door. */
  come(): void {
    this.#timer?.cancel();
    if (this.#client !== null) return;
    const { door, tally, random, clock } = this.#context;
    const open = door();
    if (open === null) {
      this.#comeBackAfter(BACK_MS);
      return;
    }
    if (this.#roams && random() < 0.3) this.#transport = this.#transport === "sse" ? "websocket" : "sse";
    tally.begun++;
    if (this.#from !== null) tally.returns++;
    this.#fromEpoch = this.#from?.epoch ?? null;
    this.#isLetIn = false;
    this.#client = new SoakClient(this, this.#transport, this.ledger.topic, this.#from, open, random);
    this.#timer = clock.after(LET_IN_MS_MAX, () => this.notLetIn("no answer"));
  }

  /** Leaves for good. */
  dismiss(): void {
    this.#drop("reset");
  }

  letIn(): void {
    if (this.#isLetIn) return;
    this.#isLetIn = true;
    this.#context.tally.letIn++;
    this.#timer?.cancel();
    if (this.#roams) this.#stay();
  }

  notLetIn(why: string): void {
    increment(this.#context.tally.refusals, why);
    this.#drop("reset");
    this.#comeBackAfter(BACK_MS);
  }

  told(): void {
    this.#context.tally.told++;
    this.ledger.tell();
  }

  event(number: number): void {
    this.#context.tally.events++;
    if (this.#fromEpoch !== null) {
      if (this.#client?.cursor?.epoch !== this.#fromEpoch) this.ledger.enterOtherLife();
      this.#fromEpoch = null;
    }
    const { crossed } = this.ledger;
    this.ledger.take(number);
    this.#context.tally.crossed += this.ledger.crossed - crossed;
  }

  cut(code: number, why: string): void {
    const { tally } = this.#context;
    if (this.#isLetIn) increment(tally.cuts, String(code));
    else increment(tally.refusals, why === "" ? "closed" : why);
    this.#keepCursor();
    this.#client = null;
    this.#isLetIn = false;
    tally.over++;
    this.#comeBackAfter(BACK_MS);
  }

  #stay(): void {
    const { clock, random, isRoaming } = this.#context;
    this.#timer = clock.after(this.#draw(HERE_MS), () => {
      if (!isRoaming()) {
        this.#stay();
        return;
      }
      this.#drop(random() < 0.5 ? "reset" : "orderly");
      this.#comeBackAfter(AWAY_MS);
    });
  }

  #drop(how: "orderly" | "reset"): void {
    this.#timer?.cancel();
    if (this.#client === null) return;
    this.#keepCursor();
    this.#client.end(how);
    this.#client = null;
    this.#isLetIn = false;
    this.#context.tally.over++;
  }

  #keepCursor(): void {
    this.#from = this.#client?.cursor ?? this.#from;
  }

  #comeBackAfter(window: readonly [number, number]): void {
    this.#timer?.cancel();
    this.#timer = this.#context.clock.after(this.#draw(window), () => this.come());
  }

  #draw([min, max]: readonly [number, number]): number {
    return min + this.#context.random() * (max - min);
  }
}

/** A ledger of its own for each witness of a topic: two that stay, one by each transport, and one that roams. */
export function witnessesOf(
  context: WitnessContext,
  topics: readonly string[],
  ledgerOf: (topic: string) => Ledger,
): Witness[] {
  return topics.flatMap((topic) => [
    new Witness(context, ledgerOf(topic), "sse", false),
    new Witness(context, ledgerOf(topic), "websocket", false),
    new Witness(context, ledgerOf(topic), "sse", true),
  ]);
}
