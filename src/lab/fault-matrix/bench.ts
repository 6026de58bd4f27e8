import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { openFeed } from "#upstream/feed.ts";
import { LINK_REASONS, type LinkReason } from "#upstream/link-reason.ts";
import type { MappingFault } from "#upstream/mapping.ts";
import type { Feed, FeedEvent, FeedSettings, FeedSink } from "#upstream/ports.ts";
import { type Answer, streamAnswer } from "../fault-feed/answer.ts";
import type { NumberedData } from "../fault-feed/numbered-events.ts";
import { type FaultFeed, openFaultFeed } from "../fault-feed/server.ts";
import { type FaultProxy, openFaultProxy } from "../fault-proxy/proxy.ts";
import type { ConnectionScript } from "../fault-proxy/script.ts";

/** Short, so that the whole matrix takes seconds. Production's defaults are longer, and no different in kind. */
export const MATRIX_SETTINGS = {
  connectTimeoutMs: 600,
  idleTimeoutMs: 800,
  retryMinMs: 50,
  retryMaxMs: 400,
  eventBytesMax: 65_536,
  eventsPerSecond: 200,
  heartbeatMs: 100,
  keys: 4,
} as const;

/** Certificates of the tests. */
export type CertificateName = "good" | "expired" | "future" | "other-name";

export interface BenchOptions {
  /** Whether the feed speaks TLS, and so HTTP/2. */
  readonly tls?: boolean;
  /** Whether the feed's events carry ids. */
  readonly ids: boolean;
  /** Of the feed; default all. */
  readonly historyEvents?: number;
  readonly seed: number;
}

/** What was seen of the events. */
export interface Delivery {
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  /** Gaps that were told. */
  readonly gaps: number;
}

interface Failure {
  readonly reason: LinkReason;
  readonly atMs: number;
}

/** A real feed of the gateway, the fault proxy before it, and the fault feed behind that. */
export class Bench implements FeedSink, AsyncDisposable {
  readonly source: FaultFeed;
  readonly proxy: FaultProxy;
  readonly feed: Feed;
  readonly failures: Failure[] = [];
  readonly #clock: SystemClock;
  readonly #answers: Answer[] = [];
  readonly #scripts: ConnectionScript[] = [];
  readonly #numbers: number[] = [];
  #lastEventAtMs = 0;
  #gaps = 0;

  private constructor(source: FaultFeed, proxy: FaultProxy, clock: SystemClock, seed: number, tls: boolean) {
    this.source = source;
    this.proxy = proxy;
    this.#clock = clock;
    source.answers = () => this.#answers.shift() ?? streamAnswer;
    proxy.script = () => this.#scripts.shift() ?? [];
    const settings = settingsOf(proxy.port, tls);
    const log: Logger = {
      debug() {},
      info() {},
      error() {},
      warn: (fields) => this.#note(fields),
    };
    this.feed = openFeed(settings, { clock, random: seededRandom(seed), log, sink: this });
  }

  static async open({ ids, historyEvents, seed, tls = false }: BenchOptions): Promise<Bench> {
    const clock = new SystemClock();
    const { keys, heartbeatMs } = MATRIX_SETTINGS;
    const history = historyEvents === undefined ? {} : { historyEvents };
    const security = tls ? { tls: certificate("good") } : {};
    const source = await openFaultFeed({ keys, ids, heartbeatMs, ...history, ...security }, clock);
    const proxy = await openFaultProxy({ target: { port: source.port } }, clock);
    return new Bench(source, proxy, clock, seed, tls);
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** Asks for every key, has events played, and resolves when they arrive. */
  async start(): Promise<void> {
    for (const key of this.source.events.keys) this.feed.want(key);
    await this.until("the stream", () => this.source.streams === 1);
    void this.source.play(1_000_000, MATRIX_SETTINGS.eventsPerSecond);
    await this.until("events", () => this.#numbers.length > 10);
  }

  /** The next requests get these answers, later ones the stream. */
  answerNext(...answers: readonly Answer[]): void {
    this.#answers.push(...answers);
  }

  /** The next connections get these scripts, later ones none. */
  scriptNext(...scripts: readonly ConnectionScript[]): void {
    this.#scripts.push(...scripts);
  }

  /** To connections from now on. */
  showCertificate(name: CertificateName): void {
    this.source.showCertificate(certificate(name));
  }

  reset(): void {
    this.proxy.inject({ do: "reset" });
  }

  /** Nothing of what was asked for is still to come. */
  get isSpent(): boolean {
    return this.#answers.length === 0 && this.#scripts.length === 0;
  }

  get lastEventAtMs(): number {
    return this.#lastEventAtMs;
  }

  get received(): number {
    return this.#numbers.length;
  }

  /** Faults of events that could not be mapped. */
  get mappingFaults(): readonly MappingFault[] {
    return Array.from(this.feed.counters.faults.entries(), ([fault]) => fault);
  }

  /** Waits for what was sent last, and says what became of all that was sent since the first event arrived. */
  async settle(): Promise<Delivery> {
    const { head } = this.source;
    await this.until("the last event", () => (this.#numbers.at(-1) ?? 0) >= head);
    const first = this.#numbers[0] ?? 0;
    const last = this.#numbers.reduce((max, n) => Math.max(max, n), 0);
    const seen = new Set(this.#numbers);
    const outOfOrder = this.#numbers.filter((n, at) => n < (this.#numbers[at - 1] ?? 0)).length;
    return {
      lost: last - first + 1 - seen.size,
      doubled: this.#numbers.length - seen.size,
      outOfOrder,
      gaps: this.#gaps,
    };
  }

  async until(what: string, holds: () => boolean, withinMs = 10_000): Promise<void> {
    const deadlineMs = this.nowMs() + withinMs;
    while (!holds()) {
      if (this.nowMs() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      await wait(2);
    }
  }

  pause(ms: number): Promise<void> {
    return wait(ms);
  }

  publish(event: FeedEvent): void {
    this.#lastEventAtMs = this.nowMs();
    const { n } = JSON.parse(event.data) as NumberedData;
    this.#numbers.push(n);
  }

  gap(): void {
    this.#gaps++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.feed.close();
    await this.proxy.close();
    await this.source.close();
  }

  /** Failures are read from the log, as an operator would. */
  #note(fields: object): void {
    if (!("reason" in fields) || typeof fields.reason !== "string" || !("livedMs" in fields)) return;
    if (fields.reason in LINK_REASONS)
      this.failures.push({ reason: fields.reason as LinkReason, atMs: this.nowMs() });
  }
}

const FIXTURES = new URL("../../../test/fixtures/tls/", import.meta.url);

function fixture(name: string): string {
  return readFileSync(new URL(name, FIXTURES), "utf8");
}

function certificate(name: CertificateName): { cert: string; key: string } {
  return { cert: fixture(`${name}.crt`), key: fixture(`${name}.key`) };
}

function settingsOf(port: number, tls: boolean): FeedSettings {
  const { connectTimeoutMs, idleTimeoutMs, retryMinMs, retryMaxMs, eventBytesMax, keys } = MATRIX_SETTINGS;
  return {
    name: "matrix",
    urls: [`${tls ? "https://localhost" : "http://127.0.0.1"}:${port}/quotes?symbols={keys}`],
    tls: tls ? { ca: fixture("ca.crt") + fixture("other-name.crt"), client: null } : null,
    topic: "/quotes/{key}",
    headers: {},
    items: null,
    key: "/symbol",
    state: "none",
    access: "private",
    pool: { keysPerLink: keys, linksMax: 1, lingerMs: 60_000, gatherMs: 5 },
    health: { connectTimeoutMs, idleTimeoutMs, rotateAfterMs: 0, eventBytesMax },
    retry: { minMs: retryMinMs, maxMs: retryMaxMs, resetAfterMs: 10_000 },
  };
}
