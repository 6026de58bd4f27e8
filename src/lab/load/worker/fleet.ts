import type { Client, ClientContext, ClientSink, Position } from "../client.ts";
import { Histogram } from "../histogram.ts";
import { Ledger } from "../ledger.ts";
import { SseClient } from "../sse-client.ts";
import { sequenceAt, streamAt, timeUsAt } from "../stamp.ts";
import { sourceAddress } from "../target.ts";
import { WebSocketClient } from "../websocket-client.ts";
import { nowUs, ownCpuUs } from "./clock.ts";
import type { FleetJob, FleetSample, Published, Settled } from "./messages.ts";
import { firstTopicOf, isSlow, lastSequence, topicName } from "./topics.ts";

/** How often connections are opened, churned and timed out. */
const TURN_MS = 10;
/** Connections of a worker that are not ready yet, at most. */
const UNDER_WAY_MAX = 500;
const RECEIVE_BYTES = 64 * 1024;
const SETTLE_TURN_MS = 20;

/** One worker's subscribers: opens them at a rate, holds and churns them, and keeps their ledger. */
export class Fleet implements ClientSink {
  readonly #job: FleetJob;
  readonly #context: ClientContext;
  readonly #ledger: Ledger;
  readonly #clients: (Client | null)[];
  /** Clients that are not ready yet, oldest first. */
  readonly #underWay = new Set<Client>();
  readonly #readyUs: Float64Array;
  readonly #latencyUs = new Histogram();
  readonly #connectUs = new Histogram();
  readonly #signInUs = new Histogram();
  readonly #counts = { ready: 0, opened: 0, churned: 0, strays: 0 };
  readonly #failed = new Map<string, number>();
  readonly #ended = new Map<string, number>();
  readonly #slowEnded = new Map<string, number>();
  readonly #allOpened = Promise.withResolvers<void>();
  #beganUs = 0;
  #churnDue = 0;
  #churnNext = 0;
  #isSettling = false;

  constructor(job: FleetJob) {
    this.#job = job;
    const { plan, target, token, worker, workers } = job;
    const count = Math.ceil((plan.sse + plan.websocket - worker) / workers);
    this.#clients = new Array<Client | null>(count).fill(null);
    this.#readyUs = new Float64Array(count);
    this.#ledger = new Ledger(count * plan.subscriptions * plan.publishers);
    this.#context = { target, token, buffer: Buffer.alloc(RECEIVE_BYTES), sink: this, nowUs };
  }

  /** Opens all; resolves once each is ready or has failed. */
  begin(): Promise<void> {
    if (this.#clients.length === 0) return Promise.resolve();
    this.#beganUs = nowUs();
    this.#churnDue = 0;
    setInterval(() => this.#turn(), TURN_MS);
    this.#turn();
    return this.#allOpened.promise;
  }

  connected(client: Client): void {
    this.#connectUs.record(client.connectedUs - client.startedUs);
  }

  ready(client: Client): void {
    const now = nowUs();
    this.#underWay.delete(client);
    this.#counts.ready++;
    this.#readyUs[this.#local(client)] = now;
    this.#signInUs.record(now - client.connectedUs);
    this.#seeWhetherAllOpened();
  }

  delivered(client: Client, bytes: Buffer, mark: number): void {
    const { topics, subscriptions, publishers } = this.#job.plan;
    const stream = streamAt(bytes, mark);
    const sequence = sequenceAt(bytes, mark);
    const timeUs = timeUsAt(bytes, mark);
    const local = this.#local(client);
    const publisher = Math.floor(stream / topics);
    const first = firstTopicOf(client.options.index, this.#job.plan);
    const place = ((stream % topics) - first + topics) % topics;
    if (!(place < subscriptions && publisher < publishers && sequence >= 1 && timeUs > 0)) {
      this.#counts.strays++;
      return;
    }
    this.#ledger.take((local * subscriptions + place) * publishers + publisher, sequence);
    // What is older than the connection was waiting for it, and says nothing of the way.
    if (
      client.options.bytesPerSecond === null &&
      client.isReady &&
      timeUs >= (this.#readyUs[local] as number)
    )
      this.#latencyUs.record(nowUs() - timeUs);
  }

  gapTold(client: Client, topic: string | null): void {
    const { subscriptions, publishers } = this.#job.plan;
    const local = this.#local(client);
    const places = client.options.topics.flatMap((name, place) => {
      const from = (local * subscriptions + place) * publishers;
      return topic === null || topic === name ? Array.from({ length: publishers }, (_, at) => from + at) : [];
    });
    this.#ledger.gapTold(places);
  }

  ended(client: Client, why: string): void {
    this.#clients[this.#local(client)] = null;
    if (client.isReady) this.#counts.ready--;
    const book = !client.isReady
      ? this.#failed
      : client.options.bytesPerSecond === null
        ? this.#ended
        : this.#slowEnded;
    // Reasons are few; a server that thinks up new ones must not fill the memory.
    const reason = book.has(why) || book.size < REASONS_MAX ? why : "other";
    book.set(reason, (book.get(reason) ?? 0) + 1);
    // It was told: what it misses from here on is not lost silently.
    this.#forget(client);
    this.#underWay.delete(client);
    this.#seeWhetherAllOpened();
  }

  sample(): FleetSample {
    const latencyUs = this.#latencyUs.state();
    this.#latencyUs.reset();
    return {
      ...this.#counts,
      cpuUs: ownCpuUs(),
      failed: Object.fromEntries(this.#failed),
      ended: Object.fromEntries(this.#ended),
      slowEnded: Object.fromEntries(this.#slowEnded),
      ledger: { ...this.#ledger.counts },
      latencyUs,
      connectUs: this.#connectUs.state(),
      signInUs: this.#signInUs.state(),
    };
  }

  /** Waits until all that was published has come to all, or the time is over; then counts what is missing. */
  async settle(published: Published, timeoutMs: number): Promise<Settled> {
    this.#isSettling = true;
    const deadlineUs = nowUs() + timeoutMs * 1000;
    const behind = await new Promise<number>((resolve) => {
      const look = (): void => {
        const late = this.#behind(published);
        if (late === 0 || nowUs() > deadlineUs) resolve(late);
        else setTimeout(look, SETTLE_TURN_MS);
      };
      look();
    });
    return { lost: this.#lost(published), behind };
  }

  #turn(): void {
    const { plan, workers } = this.#job;
    const seconds = (nowUs() - this.#beganUs) / 1e6;
    const due = Math.min(this.#clients.length, Math.ceil((seconds * plan.opensPerSecond) / workers) + 1);
    while (this.#counts.opened < due && this.#underWay.size < UNDER_WAY_MAX) {
      this.#open(this.#counts.opened, null);
      this.#counts.opened++;
    }
    const timedOutUs = nowUs() - plan.connectTimeoutMs * 1000;
    for (const client of this.#underWay) {
      if (client.startedUs > timedOutUs) break;
      client.end();
      this.ended(client, `not ready after ${plan.connectTimeoutMs / 1000} s`);
    }
    if (this.#counts.opened === this.#clients.length && !this.#isSettling) this.#churn();
  }

  #churn(): void {
    const { plan, workers } = this.#job;
    this.#churnDue += (plan.churnPerSecond * TURN_MS) / 1000 / workers;
    for (let tries = 0; this.#churnDue >= 1 && tries < this.#clients.length; tries++) {
      if (this.#underWay.size >= UNDER_WAY_MAX) return;
      const local = this.#churnNext;
      this.#churnNext = (local + 1) % this.#clients.length;
      const client = this.#clients[local];
      if (client?.isReady !== true) continue;
      this.#churnDue--;
      this.#counts.churned++;
      this.#counts.ready--;
      const from = plan.resumes ? client.position : null;
      client.end();
      if (from === null) this.#forget(client);
      this.#open(local, from);
    }
  }

  #open(local: number, from: Position | null): void {
    const { plan, target, worker, workers } = this.#job;
    const index = local * workers + worker;
    const first = firstTopicOf(index, plan);
    const topics = Array.from({ length: plan.subscriptions }, (_, at) =>
      topicName(target.dialect.topicPrefix, (first + at) % plan.topics),
    );
    const options = {
      index,
      topics,
      localAddress: sourceAddress(target.host, index),
      from,
      keepsPosition: plan.resumes && plan.churnPerSecond > 0,
      bytesPerSecond: isSlow(index, plan) ? plan.slowBytesPerSecond : null,
    };
    const client =
      index < plan.sse ? new SseClient(this.#context, options) : new WebSocketClient(this.#context, options);
    this.#clients[local] = client;
    this.#underWay.add(client);
    client.open();
  }

  #seeWhetherAllOpened(): void {
    if (this.#counts.opened >= this.#clients.length - 1 && this.#underWay.size === 0) {
      // The last one's `open` may be failing within `#turn`, before it is counted.
      setImmediate(() => {
        if (this.#counts.opened === this.#clients.length && this.#underWay.size === 0)
          this.#allOpened.resolve();
      });
    }
  }

  #forget(client: Client): void {
    const { subscriptions, publishers } = this.#job.plan;
    const places = subscriptions * publishers;
    const from = this.#local(client) * places;
    for (let place = from; place < from + places; place++) this.#ledger.joinAnywhere(place);
  }

  #behind(published: Published): number {
    let behind = 0;
    for (const client of this.#clients) {
      if (client === null || client.options.bytesPerSecond !== null) continue;
      let hasAll = true;
      this.#eachPlace(this.#local(client), published, (place, last) => {
        hasAll &&= this.#ledger.hasReached(place, last);
      });
      if (!hasAll) behind++;
    }
    return behind;
  }

  #lost(published: Published): number {
    const refused = new Map<number, Set<number>>();
    for (const [stream, sequence] of published.refused) {
      const sequences = refused.get(stream) ?? new Set();
      refused.set(stream, sequences.add(sequence));
    }
    let lost = this.#ledger.counts.lostUnnamed;
    this.#clients.forEach((client, local) => {
      // A slow reader is on its way still: what it skipped is lost, what it has not read is not.
      if (client !== null && client.options.bytesPerSecond !== null) this.#forget(client);
      this.#eachPlace(local, published, (place, last, stream) => {
        lost += this.#ledger.missing(place, last, refused.get(stream) ?? NONE);
      });
    });
    return lost;
  }

  #eachPlace(
    local: number,
    { counts }: Published,
    visit: (place: number, last: number, stream: number) => void,
  ): void {
    const { plan, worker, workers } = this.#job;
    const first = firstTopicOf(local * workers + worker, plan);
    for (let at = 0; at < plan.subscriptions; at++) {
      const topic = (first + at) % plan.topics;
      for (let publisher = 0; publisher < plan.publishers; publisher++) {
        const place = (local * plan.subscriptions + at) * plan.publishers + publisher;
        const last = lastSequence(publisher, topic, counts[publisher] ?? 0, plan.topics);
        visit(place, last, publisher * plan.topics + topic);
      }
    }
  }

  #local(client: Client): number {
    return (client.options.index - this.#job.worker) / this.#job.workers;
  }
}

const NONE: ReadonlySet<number> = new Set();
const REASONS_MAX = 50;
