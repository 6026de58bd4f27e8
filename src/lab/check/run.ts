import type { Clock } from "#base/clock.ts";
import { checkHttp } from "./http.ts";
import { checkDns, checkTcp } from "./network.ts";
import { type ResumeContext, resumeSse, resumeWebSocket } from "./resume.ts";
import { type Credentials, checkSignIn } from "./sign-in.ts";
import { checkSse, type SseProbe } from "./sse.ts";
import {
  CheckStep,
  type Finding,
  runSteps,
  StepFailure,
  type StepPlan,
  type StepReport,
  StepSkipped,
} from "./step.ts";
import type { CheckTarget } from "./target.ts";
import { checkTls } from "./tls.ts";
import { checkWebSocket, type WebSocketProbe } from "./websocket.ts";

export interface CheckOptions {
  readonly target: CheckTarget;
  /** Null: the steps that need a topic are skipped. */
  readonly topic: string | null;
  /** Null: without signing in. */
  readonly credentials: Credentials | null;
  /** For each step. */
  readonly timeoutMs: number;
}

export interface CheckReport {
  readonly ok: boolean;
  readonly steps: readonly StepReport[];
}

/** The connection test. Every step is reported as it ends; nothing stays open afterwards. */
export async function runCheck(
  options: CheckOptions,
  clock: Clock,
  onStep: (report: StepReport) => void,
): Promise<CheckReport> {
  using run = new CheckRun(options, clock);
  const steps = await runSteps(run.plan(), clock, options.timeoutMs, onStep);
  return { ok: steps.every(({ outcome }) => outcome !== "failed"), steps };
}

/** How long the forced break lasts at most while it waits for an event to be missed. */
const BREAK_MS_MAX = 3000;
const NO_TOPIC = "no topic was given: try it with --topic";

/** What the steps of one test hand on to each other. */
class CheckRun implements Disposable {
  readonly #options: CheckOptions;
  readonly #clock: Clock;
  #token: string | null = null;
  #sse: SseProbe | null = null;
  #webSocket: WebSocketProbe | null = null;
  #sseWorks = false;
  #subscribed = false;

  constructor(options: CheckOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  [Symbol.dispose](): void {
    this.#sse?.[Symbol.dispose]();
    this.#webSocket?.[Symbol.dispose]();
  }

  plan(): StepPlan[] {
    const { target } = this.#options;
    const { dns, tcp, tls, http, signIn, sse, websocket, subscribe, firstEvent } = CheckStep;
    return [
      { name: dns, needs: [], run: (signal) => checkDns(target, signal) },
      { name: tcp, needs: [dns], run: (signal) => checkTcp(target, signal) },
      { name: tls, needs: [tcp], run: (signal) => checkTls(target, this.#clock, signal) },
      { name: http, needs: [tcp, tls], run: (signal) => checkHttp(target, signal) },
      { name: signIn, needs: [tcp, tls, http], run: (signal) => this.#signIn(signal) },
      { name: sse, needs: [tcp, tls, http, signIn], run: (signal) => this.#openSse(signal) },
      { name: websocket, needs: [tcp, tls, http, signIn], run: (signal) => this.#openWebSocket(signal) },
      { name: subscribe, needs: [websocket], run: (signal) => this.#subscribe(signal) },
      { name: firstEvent, needs: [signIn], run: (signal) => this.#firstEvent(signal) },
      { name: CheckStep.resumeSse, needs: [sse, firstEvent], run: (signal) => this.#resumeSse(signal) },
      {
        name: CheckStep.resumeWebsocket,
        needs: [subscribe, firstEvent],
        run: (signal) => this.#resumeWebSocket(signal),
      },
    ];
  }

  async #signIn(signal: AbortSignal): Promise<Finding> {
    const { target, credentials } = this.#options;
    if (credentials === null) throw new StepSkipped("no user was given: without signing in");
    const { token, detail } = await checkSignIn(target, credentials, signal);
    this.#token = token;
    return { detail };
  }

  async #openSse(signal: AbortSignal): Promise<Finding> {
    const { target, topic } = this.#options;
    const options = { topic, token: this.#token, lastEventId: null };
    const { probe, detail } = await checkSse(target, options, this.#clock, signal);
    this.#sse = probe;
    this.#sseWorks = true;
    return { detail };
  }

  async #openWebSocket(signal: AbortSignal): Promise<Finding> {
    const { probe, detail } = await checkWebSocket(this.#options.target, this.#token, signal);
    this.#webSocket = probe;
    return { detail };
  }

  async #subscribe(signal: AbortSignal): Promise<Finding> {
    const probe = this.#webSocket as WebSocketProbe;
    const topic = this.#topic();
    await probe.subscribe(topic, null, signal);
    this.#subscribed = true;
    return { detail: `${topic} at offset ${probe.position.offset}` };
  }

  /** An event must come on each transport that got as far as to be subscribed. */
  async #firstEvent(signal: AbortSignal): Promise<Finding> {
    const topic = this.#topic();
    const watched = [
      ...(this.#sse === null ? [] : [{ transport: "SSE", sightings: this.#sse.sightings }]),
      ...(this.#webSocket === null || !this.#subscribed
        ? []
        : [{ transport: "WebSocket", sightings: this.#webSocket.sightings }]),
    ];
    if (watched.length === 0) throw new StepSkipped("not tried, since no transport is subscribed");
    const names = watched.map(({ transport }) => transport);
    await Promise.all(watched.map(({ sightings }) => sightings.until(({ any }) => any, signal))).catch(
      (thrown) => {
        if (!signal.aborted) throw thrown;
        const without = watched.filter(({ sightings }) => !sightings.any).map(({ transport }) => transport);
        throw new StepFailure(
          `no event of ${topic} came by ${without.join(" or ")}`,
          without.length < watched.length
            ? `Events did come by ${names.filter((name) => !without.includes(name)).join(" and ")}: a proxy holds the other back.`
            : "Is the topic spelt right and does it move? See the state of the feed's links in /metrics, or give --timeout.",
        );
      },
    );
    return { detail: `${topic} came by ${names.join(" and ")}` };
  }

  async #resumeSse(signal: AbortSignal): Promise<Finding> {
    const witness = this.#subscribed ? (this.#webSocket as WebSocketProbe).sightings : null;
    const cut = this.#sse as SseProbe;
    // Whatever comes of it, the stream that was cut is no witness for the next step.
    this.#sse = null;
    const { probe, detail } = await resumeSse(this.#resumption(), cut, witness, signal);
    this.#sse = probe;
    return { detail };
  }

  async #resumeWebSocket(signal: AbortSignal): Promise<Finding> {
    const cut = this.#webSocket as WebSocketProbe;
    // The stream that failed to resume is no witness any more; a new one is.
    if (this.#sse === null && this.#sseWorks) await this.#openSse(signal);
    return await resumeWebSocket(this.#resumption(), cut, this.#sse?.sightings ?? null, signal);
  }

  #resumption(): ResumeContext {
    return {
      target: this.#options.target,
      topic: this.#topic(),
      token: this.#token,
      clock: this.#clock,
      breakMsMax: Math.min(BREAK_MS_MAX, this.#options.timeoutMs / 3),
    };
  }

  #topic(): string {
    if (this.#options.topic === null) throw new StepSkipped(NO_TOPIC);
    return this.#options.topic;
  }
}
