import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import { type Broken, checkAdmission } from "./checks.ts";
import { EXTENSION_MS_MAX, extraPhase, LACKS, type Lack } from "./extension.ts";
import { Fleet } from "./fleet.ts";
import { sumOf } from "./fleet-tally.ts";
import { GatewayError, type GatewayProcess } from "./gateway-process.ts";
import { Investigation, type SnapshotPair } from "./investigation.ts";
import type { Journal } from "./journal.ts";
import { lookInside } from "./look-inside.ts";
import { type Phase, type PhaseKind, planPhases } from "./plan.ts";
import { Publisher } from "./publisher.ts";
import type { SittingEnd, SoakOptions, SoakSettings } from "./record.ts";
import { judgedLives, LIFE_MS_MIN, type Note, type Totals } from "./sample.ts";
import { Station } from "./station.ts";
import { turnoverPerSecond } from "./turnover.ts";
import { Upstream } from "./upstream.ts";
import { Watch } from "./watch.ts";

const KEYS = 60;
const NEWS = "/news/soak";
const LOOK_MS = 100;
const CALM_MS_MAX = 20_000;
const COME_IN_MS = 3000;
const BROKEN_MAX = 1000;
const DAY_MS = 86_400_000;

/** One sitting of a run, from the opening of all its parts to their end. A resumed run has several. */
export class Sitting implements AsyncDisposable {
  readonly broken: Broken[] = [];
  readonly warmUpMs: number;
  readonly #options: SoakOptions;
  readonly #settings: SoakSettings;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #stack: AsyncDisposableStack;
  readonly #station: Station;
  readonly #upstream: Upstream;
  readonly #fleet: Fleet;
  readonly #publisher: Publisher;
  readonly #watch: Watch;
  readonly #investigation: Investigation;
  readonly #sampleMs: number;
  /** When the run would have begun if it had never been interrupted, in monotonic milliseconds. */
  #startMs: number;
  #phase: PhaseKind = "steady";
  /** As counted when the phase began. */
  #refusals = 0;
  #begun = 0;
  #sampling: Promise<void> = Promise.resolve();
  #isSampling = false;
  #nextSampleMs = 0;

  private constructor(
    options: SoakOptions,
    settings: SoakSettings,
    journal: Journal,
    clock: Clock,
    parts: { station: Station; upstream: Upstream; fleet: Fleet; publisher: Publisher },
    stack: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.#settings = settings;
    this.#journal = journal;
    this.#clock = clock;
    this.#stack = stack;
    ({
      station: this.#station,
      upstream: this.#upstream,
      fleet: this.#fleet,
      publisher: this.#publisher,
    } = parts);
    const last = journal.lines.findLast((line) => line.kind === "sample");
    for (const line of journal.lines)
      if (line.kind === "note" && line.what === "broken") this.#remember(line.text);
    this.#startMs = clock.monotonicMs() - (last?.atMs ?? 0);
    this.#watch = new Watch({
      ...parts,
      clock,
      before: last?.totals ?? null,
      broken: (broken) => this.#break(broken),
    });
    // A life's first part is compiling code and filling caches.
    this.warmUpMs = Math.max(20_000, Math.min(150_000, settings.durationMs * 0.2));
    this.#sampleMs = Math.min(10_000, Math.max(1000, settings.durationMs / 360));
    this.#investigation = new Investigation(
      this.#station,
      options.dir,
      journal.lines,
      { warmUpMs: this.warmUpMs, isShort: settings.durationMs < LIFE_MS_MIN },
      (what, text) => this.#note(what, text),
    );
    if (last !== undefined) this.#note("resumed", `after ${last.atMs} ms`);
  }

  static async open(
    options: SoakOptions,
    settings: SoakSettings,
    journal: Journal,
    clock: Clock,
  ): Promise<Sitting> {
    await using stack = new AsyncDisposableStack();
    const { dir } = options;
    const { seed, seedLeak, durationMs } = settings;
    const upstream = stack.use(await Upstream.open(KEYS, seed, clock));
    const station = new Station(
      {
        dir,
        feedPort: upstream.port,
        seedLeak,
        livesBefore: journal.lines.findLast((line) => line.kind === "sample")?.life ?? 0,
        tokenMs: durationMs + DAY_MS,
      },
      clock,
    );
    stack.use(station);
    const fleet = stack.use(new Fleet(clock));
    const publisher = stack.use(new Publisher(NEWS, 0, () => station.door, clock));
    return new Sitting(
      options,
      settings,
      journal,
      clock,
      { station, upstream, fleet, publisher },
      stack.move(),
    );
  }

  get totals(): Totals {
    return this.#watch.totals();
  }

  get pairs(): readonly SnapshotPair[] {
    return this.#investigation.pairs;
  }

  /** Runs it to its end, or to where it can't go on: what it saw until then is to be judged in any case. */
  async run(): Promise<SittingEnd> {
    try {
      return { ...(await this.#run()), failure: null };
    } catch (thrown) {
      await Promise.allSettled([this.#sampling]);
      const isGateways = thrown instanceof GatewayError;
      if (isGateways) this.#break({ promise: "process", detail: thrown.message });
      this.#note("end", `it could not go on: ${messageOf(thrown)}`);
      const tookMs = this.#atMs;
      return {
        isInterrupted: this.#options.signal.aborted,
        tookMs,
        extendedMs: Math.max(0, tookMs - this.#settings.durationMs),
        lack: this.#lack(),
        failure: isGateways ? null : { thrown },
      };
    }
  }

  async #run(): Promise<Omit<SittingEnd, "failure">> {
    await this.#begin(false);
    const { keys } = this.#upstream.feed.events;
    await this.#fleet.begin(
      [...keys.map((key) => `/quotes/${key}`), NEWS],
      keys,
      this.#settings.seed + this.#atMs,
    );
    // Those who have just come have to be there before anything can be asked of them.
    await this.#live({ kind: "steady", fromMs: this.#atMs, toMs: this.#atMs + COME_IN_MS });
    for (const phase of planPhases(this.#settings)) {
      if (phase.toMs <= this.#atMs || this.#options.signal.aborted) continue;
      await this.#live(phase);
    }
    const endMs = this.#atMs;
    const lack = await this.#extend(endMs + EXTENSION_MS_MAX);
    const extendedMs = this.#atMs - endMs;
    const isInterrupted = this.#options.signal.aborted;
    if (this.#phase !== "calm") await this.#live({ kind: "calm", fromMs: this.#atMs, toMs: this.#atMs });
    await this.#sample();
    await this.#sampling;
    await this.#fleet.point(null);
    await this.#endLife(() => this.#station.drain());
    this.#note("end", isInterrupted ? "interrupted" : "its time is over");
    return { isInterrupted, tookMs: this.#atMs, extendedMs, lack };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** Since the run's start. */
  get #atMs(): number {
    return Math.round(this.#clock.monotonicMs() - this.#startMs);
  }

  /**
   * How many looks, connections and calms there are in a run's time depends on the machine: goes on until growth can be
   * judged, and what was suspected has both its snapshots. Answers what is lacking still when it may go on no longer.
   */
  async #extend(untilMs: number): Promise<Lack | null> {
    let told: Lack | null = null;
    for (;;) {
      await this.#sampling;
      const lack = this.#lack();
      if (lack === null || this.#options.signal.aborted) return lack;
      if (this.#atMs >= untilMs) {
        this.#note("extended", `no longer; it still lacks ${LACKS[lack]}`);
        return lack;
      }
      if (lack !== told) this.#note("extended", `it lacks ${LACKS[lack]}`);
      told = lack;
      await this.#live(extraPhase(lack, this.#atMs));
    }
  }

  #lack(): Lack | null {
    const samples = this.#journal.lines.filter((line) => line.kind === "sample");
    if (judgedLives(samples, this.#atMs, this.warmUpMs).length === 0) return "looks";
    this.#investigation.conclude(this.#atMs);
    return this.#investigation.lack;
  }

  async #live(phase: Phase): Promise<void> {
    this.#phase = phase.kind;
    this.#note("phase", phase.kind);
    const { tally } = await this.#watch.askFleet();
    this.#refusals = sumOf(tally.refusals);
    this.#begun = tally.begun;
    await this.#turnover();
    await this.#upstream.enter(phase.kind);
    switch (phase.kind) {
      case "calm":
        await this.#settle();
        await this.#lookInside(() => this.#investigation.lookInCalm(this.#atMs));
        break;
      case "reload":
        this.#station.reload();
        break;
      case "renew":
        await this.#station.renew((door) => this.#fleet.point(door));
        break;
      case "drain":
      case "drain_to_tls":
        await this.#sample();
        await this.#endLife(() => this.#station.drain());
        await this.#begin(phase.kind === "drain_to_tls");
        break;
      case "crash":
        await this.#sample();
        await this.#endLife(async () => {
          await this.#station.crash();
          return null;
        });
        await this.#begin(this.#station.isTls);
    }
    await this.#untilMs(phase.toMs);
    await this.#checkAdmission(phase.kind);
    if (phase.kind === "calm") {
      this.#publisher.resume();
      await this.#fleet.roam(true);
    }
  }

  async #begin(isTls: boolean): Promise<void> {
    await this.#station.start(isTls);
    this.#note("life", `${this.#station.lives}, ${isTls ? "with TLS" : "by plain TCP"}`);
    await this.#fleet.point(this.#station.door);
  }

  async #endLife(end: () => Promise<string | null>): Promise<void> {
    await this.#sampling;
    const { gateway } = this.#station;
    const trouble = await end();
    if (trouble !== null) this.#break({ promise: "process", detail: trouble });
    for (const line of gateway?.errors ?? []) this.#break({ promise: "log", detail: line });
    this.#watch.lifeEnded();
    await this.#fleet.point(null);
  }

  /** No event comes any more: by and by every witness has all of them, and the gateway has the witnesses alone. */
  async #settle(): Promise<void> {
    await this.#publisher.pause();
    await this.#fleet.roam(false);
    this.#upstream.publishRound();
    const last = { ...this.#upstream.lastOfEach(), [NEWS]: this.#publisher.lastConfirmed };
    const behind = await this.#fleet.behind(last, CALM_MS_MAX);
    if (behind > 0)
      this.#break({
        promise: "completeness",
        detail: `${behind} witnesses lacked the last event of their topic`,
      });
    let seen = "";
    const deadlineMs = this.#clock.monotonicMs() + CALM_MS_MAX;
    for (;;) {
      await this.#sampling;
      const inside = await this.#lookInside((gateway) => gateway.sample(null));
      if (inside === null) return;
      const { books } = inside;
      const { witnesses, visitors } = await this.#watch.askFleet();
      const { sse = 0, websocket = 0, sockets = 0, subscribers = 0 } = books;
      const clients = witnesses + visitors;
      if (sse + websocket === clients && sockets === clients && subscribers === clients) return;
      seen = `${sse + websocket} connections, ${sockets} sockets and ${subscribers} subscribers of ${clients} clients`;
      if (this.#clock.monotonicMs() > deadlineMs) break;
      await this.#pause(LOOK_MS);
    }
    this.#break({ promise: "clients", detail: seen });
  }

  async #checkAdmission(kind: PhaseKind): Promise<void> {
    const { tally } = await this.#watch.askFleet();
    const refused = sumOf(tally.refusals) - this.#refusals;
    const broken = checkAdmission(kind, refused, tally.begun - this.#begun, tally.refusals);
    if (broken !== null) this.#break(broken);
  }

  /** Lives on until a time of the run, looking all along. */
  async #untilMs(ms: number): Promise<void> {
    while (this.#atMs < ms && !this.#options.signal.aborted) {
      if (this.#station.gateway?.isRunning === false) {
        const how = await this.#station.mourn();
        this.#break({ promise: "process", detail: how });
        await this.#endLife(async () => null);
        await this.#begin(this.#station.isTls);
      }
      if (this.#atMs >= this.#nextSampleMs) {
        this.#nextSampleMs = this.#atMs + this.#sampleMs;
        // A look that takes longer than the time to the next one takes the next one's place.
        if (!this.#isSampling) void this.#sample();
        await this.#turnover();
      }
      await this.#pause(Math.min(LOOK_MS, Math.max(1, ms - this.#atMs)));
    }
  }

  /** Sets how many connections come in a second, so that all are there at the end. */
  async #turnover(): Promise<void> {
    const perSecond = turnoverPerSecond({
      ...this.#settings,
      atMs: this.#atMs,
      begun: this.#watch.totals().fleet.begun,
      phase: this.#phase,
      isTls: this.#station.isTls,
    });
    await this.#fleet.turnover(perSecond);
  }

  /** One sample at a time; a look that fails because the life ends meanwhile is none. */
  #sample(): Promise<void> {
    this.#sampling = this.#sampling.then(() => this.#sampleNow());
    return this.#sampling;
  }

  async #sampleNow(): Promise<void> {
    const { gateway } = this.#station;
    this.#isSampling = true;
    try {
      const sample = await this.#watch.sample(this.#atMs, this.#phase);
      if (sample === null) return;
      this.#journal.write(sample);
      this.#options.onSample(sample, this.#settings);
      this.#investigation.consider(sample);
    } catch (thrown) {
      if (gateway?.isRunning === true && gateway === this.#station.gateway)
        this.#break({ promise: "process", detail: `it could not be looked at: ${messageOf(thrown)}` });
    } finally {
      this.#isSampling = false;
    }
  }

  #lookInside<Found>(look: (gateway: GatewayProcess) => Promise<Found>): Promise<Found | null> {
    return lookInside(
      () => this.#station.gateway,
      look,
      (broken) => this.#break(broken),
    );
  }

  #break(broken: Broken): void {
    if (this.broken.length < BROKEN_MAX) this.broken.push(broken);
    this.#note("broken", JSON.stringify(broken));
  }

  #remember(text: string): void {
    if (this.broken.length < BROKEN_MAX) this.broken.push(JSON.parse(text) as Broken);
  }

  #note(what: Note["what"], text: string): void {
    const note: Note = { kind: "note", atMs: this.#atMs, what, text };
    this.#journal.write(note);
    this.#options.onNote(note);
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#clock.after(ms, resolve));
  }
}
