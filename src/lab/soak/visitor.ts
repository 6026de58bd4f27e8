import type { Clock, Timer } from "#base/clock.ts";
import type { Random } from "#base/random.ts";
import { type ClientOwner, type Door, SoakClient, type SoakCursor } from "./client.ts";
import { type FleetTally, increment } from "./fleet-tally.ts";
import { type Breach, Ledger } from "./ledger.ts";
import { drawVisit, type Visit } from "./visit.ts";

/** What visitors share. */
export interface VisitorContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: readonly string[];
  readonly tally: FleetTally;
  readonly report: (breach: Breach) => void;
  readonly door: () => Door | null;
  /** Its connection is over. */
  readonly gone: (visitor: Visitor) => void;
  /** It waits to come back, or does so. */
  readonly came: (visitor: Visitor) => void;
}

/** How long a visitor waits to be let in, in milliseconds. */
const LET_IN_MS_MAX = 20_000;
/** A silent WebSocket client has to be sent away within this, in milliseconds: far above interval and time-out. */
const SILENT_MS_MAX = 30_000;
/** A client that stops reading leaves after so long, in milliseconds: only a full queue could tell it from a slow one. */
const PAUSED_MS = 4000;

/** One connection of the turnover, by a visit's script. Its timer is its only one. */
export class Visitor implements ClientOwner {
  readonly #context: VisitorContext;
  readonly #visit: Visit;
  readonly #ledger: Ledger;
  readonly #client: SoakClient;
  /** Epoch of the cursor that it came back with, until its first event; null: it did not. */
  #fromEpoch: string | null;
  #timer: Timer;
  #isLetIn = false;
  #isOver = false;

  constructor(context: VisitorContext, door: Door, returning: { ledger: Ledger; from: SoakCursor } | null) {
    const { clock, random, keys, tally, report } = context;
    this.#context = context;
    this.#fromEpoch = returning?.from.epoch ?? null;
    const drawn = drawVisit(random, keys);
    this.#visit =
      returning === null ? drawn : { ...drawn, until: "event", staysMs: 400, returnsAfterMs: null };
    this.#ledger = returning?.ledger ?? new Ledger(`/quotes/${this.#visit.key}`, report);
    tally.begun++;
    if (returning !== null) tally.returns++;
    this.#client = new SoakClient(
      this,
      this.#visit.transport,
      this.#ledger.topic,
      returning?.from ?? null,
      door,
      random,
    );
    const { until, staysMs } = this.#visit;
    this.#timer =
      until === "vanishes"
        ? clock.after(staysMs, () => this.#leave("reset"))
        : clock.after(LET_IN_MS_MAX, () => this.#refused("no answer"));
    context.came(this);
  }

  letIn(): void {
    if (this.#isLetIn || this.#isOver) return;
    this.#isLetIn = true;
    this.#context.tally.letIn++;
    const { until, staysMs, leaves, transport } = this.#visit;
    if (until === "vanishes") return;
    this.#timer.cancel();
    const { clock, tally } = this.#context;
    if (until === "let_in") this.#timer = clock.after(0, () => this.#leave(leaves));
    else if (until !== "silent") this.#timer = clock.after(staysMs, () => this.#leave(leaves));
    else if (transport === "websocket") {
      this.#client.isAnswering = false;
      this.#timer = clock.after(SILENT_MS_MAX, () => {
        tally.silentOverstayed++;
        this.#leave("reset");
      });
    } else {
      this.#client.pause();
      this.#timer = clock.after(PAUSED_MS, () => this.#leave("reset"));
    }
  }

  notLetIn(why: string): void {
    if (!this.#isLetIn) this.#refused(why);
  }

  told(): void {
    if (this.#isOver) return;
    this.#context.tally.told++;
    this.#ledger.tell();
  }

  event(number: number): void {
    // What came with the event upon which it left comes again when it returns.
    if (this.#isOver) return;
    this.#context.tally.events++;
    if (this.#fromEpoch !== null) {
      if (this.#client.cursor?.epoch !== this.#fromEpoch) this.#ledger.enterOtherLife();
      this.#fromEpoch = null;
    }
    const { crossed } = this.#ledger;
    this.#ledger.take(number);
    this.#context.tally.crossed += this.#ledger.crossed - crossed;
    if (this.#visit.until === "event" && this.#isLetIn) this.#leave(this.#visit.leaves);
  }

  cut(code: number, why: string): void {
    if (this.#isOver) return;
    const { tally } = this.#context;
    if (!this.#isLetIn) increment(tally.refusals, why === "" ? "closed" : why);
    else if (this.#visit.until === "silent" && this.#visit.transport === "websocket" && code === NO_PONG)
      tally.silentSentAway++;
    else increment(tally.cuts, String(code));
    this.#over();
  }

  /** Ends at once, whatever was to come. */
  dismiss(): void {
    this.#leave("reset");
  }

  #refused(why: string): void {
    if (this.#isOver) return;
    increment(this.#context.tally.refusals, why);
    this.#leave("reset");
  }

  #leave(how: "orderly" | "reset"): void {
    if (this.#isOver) return;
    const from = this.#client.cursor;
    this.#client.end(how);
    this.#over();
    const { returnsAfterMs } = this.#visit;
    const { clock, door } = this.#context;
    if (returnsAfterMs === null || from === null || this.#ledger.events === 0) return;
    clock.after(returnsAfterMs, () => {
      const open = door();
      if (open !== null) new Visitor(this.#context, open, { ledger: this.#ledger, from });
    });
  }

  #over(): void {
    this.#isOver = true;
    this.#timer.cancel();
    this.#context.tally.over++;
    this.#context.gone(this);
  }
}

const NO_PONG = 3012;
