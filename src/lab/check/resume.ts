import type { Clock } from "#base/clock.ts";
import { parseCursor } from "#protocol/cursor.ts";
import { compare, type Sightings } from "./sightings.ts";
import { SseProbe } from "./sse.ts";
import { type Finding, StepFailure } from "./step.ts";
import type { CheckTarget } from "./target.ts";
import { WebSocketProbe } from "./websocket.ts";

/** Events that a break waits for: more than one, so that an order and a hole between them could show. */
const EVENTS_MISSED = 3;
const LOG_TOO_SHORT =
  "Raise log.bytesMax or log.ageMax if breaks as short as this one outlast the log; or the gateway was started anew meanwhile.";

export interface ResumeContext {
  readonly target: CheckTarget;
  readonly topic: string;
  readonly token: string | null;
  readonly clock: Clock;
  /** How long the break lasts at most, in milliseconds, while it waits for the witness to see an event go by. */
  readonly breakMsMax: number;
}

/**
 * Cuts the SSE stream hard, lets events go by, and resumes from its last event id. What then comes must be what the
 * witness, which was not cut, saw between the two cursors.
 *
 * @param witness null: none; only the gateway's own word is checked then
 */
export async function resumeSse(
  context: ResumeContext,
  cut: SseProbe,
  witness: Sightings | null,
  signal: AbortSignal,
): Promise<Finding & { readonly probe: SseProbe }> {
  const { lastEventId } = cut;
  const cursor = parseCursor(lastEventId)?.sequence ?? null;
  const comparable = cursor !== null && !cut.sightings.hasForeignIds ? witness : null;
  cut.cut();
  const target = await letEventsPass(comparable, cursor, context, signal);
  const { topic, token, clock } = context;
  const probe = await SseProbe.open(context.target, { topic, token, lastEventId }, clock, signal);
  try {
    if (probe.toldLastEventId !== lastEventId) {
      throw new StepFailure(
        `resumed after ${lastEventId}, but the gateway told that it begins after ${probe.toldLastEventId ?? "an unknown id"}`,
        LOG_TOO_SHORT,
      );
    }
    if (comparable === null || cursor === null) {
      return {
        detail: "the gateway took the last event id; its events were not compared, for want of a witness",
        probe,
      };
    }
    await probe.sightings.until(({ highest }) => highest >= target || target === cursor, signal);
    return { detail: judge(comparable, probe.sightings, cursor, target), probe };
  } catch (thrown) {
    probe[Symbol.dispose]();
    throw thrown;
  }
}

/** The same for the WebSocket, resumed by the protocol's recovery. */
export async function resumeWebSocket(
  context: ResumeContext,
  cut: WebSocketProbe,
  witness: Sightings | null,
  signal: AbortSignal,
): Promise<Finding> {
  const { position } = cut;
  const comparable = witness?.hasForeignIds === false ? witness : null;
  cut.cut();
  const target = await letEventsPass(comparable, position.offset, context, signal);
  using probe = await WebSocketProbe.open(context.target, context.token, signal);
  const { recovered } = await probe.subscribe(context.topic, position, signal);
  if (!recovered) {
    throw new StepFailure(
      `the gateway told that it can't resume after offset ${position.offset}`,
      LOG_TOO_SHORT,
    );
  }
  if (comparable === null) {
    return {
      detail: "recovered, by the gateway's word; its events were not compared, for want of a witness",
    };
  }
  await probe.sightings.until(({ highest }) => highest >= target || target === position.offset, signal);
  return { detail: judge(comparable, probe.sightings, position.offset, target) };
}

/** Waits, not for long, until the witness has seen events that the cut connection misses; answers its highest. */
async function letEventsPass(
  witness: Sightings | null,
  cursor: number | null,
  { clock, breakMsMax }: ResumeContext,
  signal: AbortSignal,
): Promise<number> {
  if (witness === null || cursor === null) return cursor ?? 0;
  const breakOver = new AbortController();
  using _end = clock.after(breakMsMax, () => breakOver.abort());
  try {
    const missed = ({ sequences }: Sightings) => sequences.filter((sequence) => sequence > cursor).length;
    await witness.until((seen) => missed(seen) >= EVENTS_MISSED, AbortSignal.any([signal, breakOver.signal]));
  } catch (thrown) {
    // A quiet topic: the break is over, and little or nothing was missed.
    if (!breakOver.signal.aborted || signal.aborted) throw thrown;
  }
  return Math.max(cursor, witness.highest);
}

function judge(witness: Sightings, resumed: Sightings, cursor: number, target: number): string {
  const { expected, missing, doubled, inOrder } = compare(
    witness.sequences,
    resumed.sequences,
    cursor,
    target,
  );
  const report =
    "This is a bug of the gateway or of a proxy that repeats answers: please report it with this output.";
  if (missing.length > 0) {
    throw new StepFailure(`${missing.length} of ${expected} events are missing: ${listed(missing)}`, report);
  }
  if (doubled.length > 0)
    throw new StepFailure(`${doubled.length} events came twice: ${listed(doubled)}`, report);
  if (!inOrder) throw new StepFailure("events came out of order", report);
  if (expected === 0) return "cut and resumed; no event came meanwhile, nothing was doubled";
  return `cut and resumed; ${expected === 1 ? "the event" : `all ${expected} events`} of the break came, in order, once`;
}

function listed(sequences: readonly number[]): string {
  const shown = sequences.slice(0, 10).join(", ");
  return sequences.length > 10 ? `${shown}, …` : shown;
}
