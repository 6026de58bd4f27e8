import { Histogram } from "../histogram.ts";
import { Publisher, type PublisherSink, type Ticket } from "../publisher.ts";
import { stampedPayload } from "../stamp.ts";
import { nowUs, ownCpuUs } from "./clock.ts";
import { type Published, type PublishersJob, type PublishersSample, REFUSED_MAX } from "./messages.ts";
import { eventOf, topicName } from "./topics.ts";

const TURN_MS_MIN = 1;
/** How long answers are waited for when publishing has stopped. */
const STOP_MS_MAX = 10_000;

/**
 * All publishers of a load. At a rate, an event is stamped with the time at which it was due, however late it is sent: a
 * server that holds publishers up does not look quick by it.
 */
export class Publishers implements PublisherSink {
  readonly #job: PublishersJob;
  readonly #publishers: readonly Publisher[];
  /** Events that each has sent. */
  readonly #sent: number[];
  readonly #refused: [number, number][] = [];
  readonly #statuses = new Map<string, number>();
  readonly #lagUs = new Histogram();
  readonly #answerUs = new Histogram();
  #accepted = 0;
  #beganUs = 0;
  #isRunning = false;
  #timer: NodeJS.Timeout | null = null;
  #stopped: PromiseWithResolvers<void> | null = null;

  constructor(job: PublishersJob) {
    this.#job = job;
    const { publishers } = job.plan;
    this.#publishers = Array.from({ length: publishers }, () => new Publisher(job.target, job.token, this));
    this.#sent = new Array<number>(publishers).fill(0);
  }

  begin(): void {
    this.#beganUs = nowUs();
    this.#isRunning = true;
    this.#turn();
  }

  answered(ticket: Ticket, status: number): void {
    this.#answerUs.record(nowUs() - ticket.timeUs);
    if (status >= 200 && status < 300) this.#accepted++;
    else {
      this.#statuses.set(String(status), (this.#statuses.get(String(status)) ?? 0) + 1);
      if (this.#refused.length < REFUSED_MAX) this.#refused.push([ticket.stream, ticket.sequence]);
    }
    // Not within the answer: a server that refuses at once must not hold the loop, nor a broken connection recurse.
    setImmediate(() => this.#turn());
  }

  sample(): PublishersSample {
    return {
      cpuUs: ownCpuUs(),
      published: this.#sent.reduce((sum, count) => sum + count, 0),
      accepted: this.#accepted,
      refused: Object.fromEntries(this.#statuses),
      lagUs: this.#lagUs.state(),
      answerUs: this.#answerUs.state(),
    };
  }

  async stop(): Promise<Published> {
    this.#isRunning = false;
    clearTimeout(this.#timer ?? undefined);
    this.#stopped = Promise.withResolvers();
    const deadline = setTimeout(() => this.#stopped?.resolve(), STOP_MS_MAX);
    this.#turn();
    await this.#stopped.promise;
    clearTimeout(deadline);
    return { counts: this.#sent, refused: this.#refused };
  }

  #turn(): void {
    if (!this.#isRunning) {
      if (this.#publishers.every(({ requestsUnderWay }) => requestsUnderWay === 0)) this.#stopped?.resolve();
      return;
    }
    const { eventsPerSecond, burst } = this.#job.plan;
    const now = nowUs();
    const due =
      eventsPerSecond === null
        ? Number.POSITIVE_INFINITY
        : (Math.floor(((now - this.#beganUs) / 1e6) * (eventsPerSecond / burst)) + 1) * burst;
    for (const [number, publisher] of this.#publishers.entries()) this.#pump(number, publisher, due);
    if (eventsPerSecond !== null) this.#arm((this.#beganUs + (due * 1e6) / eventsPerSecond - now) / 1000);
  }

  /** The next turn, when the next events are due; answers make turns of their own. */
  #arm(ms: number): void {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = setTimeout(() => this.#turn(), Math.max(TURN_MS_MIN, ms));
  }

  /** Sends what is due and finds room. Events are dealt to the publishers in turn. */
  #pump(number: number, publisher: Publisher, due: number): void {
    const { publishers, pipeline, eventsPerSecond, burst, topics, payloadBytes } = this.#job.plan;
    for (;;) {
      const index = this.#sent[number] as number;
      const overall = index * publishers + number;
      if (overall >= due || publisher.requestsUnderWay >= pipeline) return;
      const now = nowUs();
      const timeUs =
        eventsPerSecond === null
          ? now
          : this.#beganUs + (Math.floor(overall / burst) * burst * 1e6) / eventsPerSecond;
      this.#lagUs.record(now - timeUs);
      const { topic, sequence } = eventOf(number, index, topics);
      const stream = number * topics + topic;
      this.#sent[number] = index + 1;
      const name = topicName(this.#job.target.dialect.topicPrefix, topic);
      const ticket = { stream, sequence, timeUs: now };
      publisher.publish(name, stampedPayload({ stream, sequence, timeUs }, payloadBytes), ticket);
    }
  }
}
