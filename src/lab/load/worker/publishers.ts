import { Histogram } from "../histogram.ts";
import { Publisher, type PublisherSink, type Ticket } from "../publisher.ts";
import { stampedPayload } from "../stamp.ts";
import { nowUs, ownCpuUs } from "./clock.ts";
import { type Published, type PublishersJob, type PublishersSample, REFUSED_MAX } from "./messages.ts";
import { dueAfter, dueAtUs, inParts, shareOf } from "./schedule.ts";
import { eventOf, topicName } from "./topics.ts";

const TURN_MS_MIN = 1;
/** How long answers are waited for when publishing has stopped. */
const STOP_MS_MAX = 10_000;
/** How long what was due by then may still take to be sent. */
const DRAIN_MS_MAX = 1000;

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
  readonly #refusals = new Map<string, number>();
  readonly #lagUs = new Histogram();
  readonly #answerUs = new Histogram();
  #accepted = 0;
  #beganUs = 0;
  #state: "idle" | "running" | "draining" | "over" = "idle";
  /** Once publishing has stopped: events that were due, and those of them that were never sent. */
  #due = 0;
  #unsent = 0;
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
    this.#state = "running";
    this.#turn();
  }

  answered(ticket: Ticket, refusal: string | null): void {
    this.#answerUs.record(nowUs() - ticket.timeUs);
    if (refusal === null) this.#accepted++;
    else {
      const why =
        this.#refusals.has(refusal) || this.#refusals.size < REASONS_MAX ? refusal : "for another reason";
      this.#refusals.set(why, (this.#refusals.get(why) ?? 0) + 1);
      if (this.#refused.length < REFUSED_MAX) this.#refused.push([ticket.stream, ticket.sequence]);
    }
    // Not within the answer: a server that refuses at once must not hold the loop, nor a broken connection recurse.
    setImmediate(() => this.#turn());
  }

  sample(): PublishersSample {
    return {
      cpuUs: ownCpuUs(),
      due: this.#due,
      unsent: this.#unsent,
      published: this.#sentCount(),
      accepted: this.#accepted,
      refused: Object.fromEntries(this.#refusals),
      lagUs: this.#lagUs.state(),
      answerUs: this.#answerUs.state(),
    };
  }

  /**
   * What is due by now is still sent, for a second at most, so that a burst at the very end is nobody's fault. What then
   * has not found room counts as unsent, and as late as it is.
   */
  async stop(): Promise<Published> {
    clearTimeout(this.#timer ?? undefined);
    this.#stopped = Promise.withResolvers();
    const isPaced = this.#job.plan.eventsPerSecond !== null;
    if (this.#state === "running") this.#due = isPaced ? this.#dueBy(nowUs()) : this.#sentCount();
    this.#state = this.#state === "running" && isPaced ? "draining" : "over";
    const drained = setTimeout(() => this.#leave(), DRAIN_MS_MAX);
    const deadline = setTimeout(() => {
      for (const publisher of this.#publishers) publisher.giveUp();
      this.#stopped?.resolve();
    }, STOP_MS_MAX);
    this.#turn();
    await this.#stopped.promise;
    clearTimeout(drained);
    clearTimeout(deadline);
    return { counts: this.#sent, refused: this.#refused };
  }

  #turn(): void {
    if (this.#state === "running") {
      const now = nowUs();
      const due = this.#dueBy(now);
      this.#send(due);
      const { eventsPerSecond, burst } = this.#job.plan;
      if (eventsPerSecond !== null)
        this.#arm((this.#beganUs + dueAtUs(due, eventsPerSecond, burst) - now) / 1000);
      return;
    }
    if (this.#state === "draining") this.#send(this.#due);
    if (this.#state === "draining" && this.#sentCount() === this.#due) this.#state = "over";
    const isAnswered = this.#publishers.every(({ requestsUnderWay }) => requestsUnderWay === 0);
    if (this.#state === "over" && isAnswered) this.#stopped?.resolve();
  }

  /** The backlog stays unsent. */
  #leave(): void {
    const { publishers, eventsPerSecond, burst } = this.#job.plan;
    if (this.#state !== "draining" || eventsPerSecond === null) return;
    this.#state = "over";
    const elapsedUs = nowUs() - this.#beganUs;
    for (const [number, sent] of this.#sent.entries()) {
      for (const { first, count } of inParts(sent, shareOf(this.#due, number, publishers))) {
        this.#lagUs.record(elapsedUs - dueAtUs(first * publishers + number, eventsPerSecond, burst), count);
        this.#unsent += count;
      }
    }
    this.#turn();
  }

  #dueBy(now: number): number {
    return dueAfter(now - this.#beganUs, this.#job.plan);
  }

  #sentCount(): number {
    return this.#sent.reduce((sum, count) => sum + count, 0);
  }

  /** The next turn, when the next events are due; answers make turns of their own. */
  #arm(ms: number): void {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = setTimeout(() => this.#turn(), Math.max(TURN_MS_MIN, ms));
  }

  #send(due: number): void {
    for (const [number, publisher] of this.#publishers.entries()) this.#pump(number, publisher, due);
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
        eventsPerSecond === null ? now : this.#beganUs + dueAtUs(overall, eventsPerSecond, burst);
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

/** Reasons are few; a server that thinks up new ones must not fill the memory. */
const REASONS_MAX = 50;
