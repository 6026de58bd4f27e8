import type { Publication } from "#protocol/event.ts";
import { HubEvent, type Ledger } from "./hub-event.ts";
import type { RememberedState } from "./memory.ts";
import { SqueezedBound } from "./squeezed-bound.ts";
import type { Topic } from "./topic.ts";
import { isDeeperThan, type Json, mergePatch, NESTING_MAX, type TopicState } from "./topic-state.ts";

const STATE_OVERHEAD_BYTES = 200;
const MEASURE_BYTES_MIN = 1024;

/**
 * The states of topics, within one byte bound. When it is reached, the states that were changed longest ago are let
 * go: their topics' next subscribers wait for the next event instead.
 */
export class StateStore {
  readonly #bytesMax: number;
  readonly #release: (topic: Topic) => void;
  /** In order of change, oldest first. */
  readonly #byChange = new Map<Topic, TopicState>();
  readonly #ledger: Ledger;
  #bytes = 0;
  readonly #bound = new SqueezedBound();
  /** States let go because of the bound. */
  evicted = 0;

  /** @param release told of each topic that lost its state */
  constructor(epoch: string, bytesMax: number, release: (topic: Topic) => void) {
    this.#bytesMax = bytesMax;
    this.#release = release;
    // Frames of states are not the log's; they are bounded here, through the data they encode.
    this.#ledger = { epoch, bytes: 0 };
  }

  get size(): number {
    return this.#byChange.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the event into its topic's state. Data that is no JSON replaces a merged state by itself. */
  change(topic: Topic, event: HubEvent, mode: "last" | "merge"): void {
    const state: TopicState = topic.state ?? {
      latest: event,
      merged: undefined,
      event: null,
      bytes: 0,
      measuredBytes: 0,
    };
    let bytes = STATE_OVERHEAD_BYTES + event.textBytes;
    state.merged = mode === "merge" ? merge(state.merged, event.data) : undefined;
    if (state.merged !== undefined) {
      bytes += state.bytes;
      // The sum only grows, so the merged value is measured each time it has doubled.
      if (bytes > 2 * Math.max(state.measuredBytes, MEASURE_BYTES_MIN)) {
        bytes = STATE_OVERHEAD_BYTES + event.textBytes + 2 * JSON.stringify(state.merged).length;
        state.measuredBytes = bytes;
      }
    }
    state.latest = event;
    state.event = null;
    this.#bytes += bytes - state.bytes;
    state.bytes = bytes;
    topic.state = state;
    this.#byChange.delete(topic);
    this.#byChange.set(topic, state);
    this.#evict(topic);
  }

  /** The topic's state as an event, with the sequence that it is current at. */
  eventOf(topic: Topic): HubEvent | null {
    const state = topic.state;
    if (state === null) return null;
    if (state.event !== null) return state.event;
    const { latest } = state;
    const publication: Publication = {
      topics: [topic.name],
      data: state.merged === undefined ? latest.data : JSON.stringify(state.merged),
      type: latest.type,
      private: latest.private,
    };
    state.event = new HubEvent(latest.sequence, latest.timeMs, publication, this.#ledger);
    return state.event;
  }

  /** Every state, those changed longest ago first. Merged values may change afterwards. */
  *remembered(): IterableIterator<RememberedState> {
    for (const [{ name: topic }, { latest, merged }] of this.#byChange) {
      const { sequence, timeMs, type, data } = latest;
      const value = merged === undefined ? { data } : { merged };
      yield { topic, sequence, timeMs, type, private: latest.private, value };
    }
  }

  /** Gives a topic the state that it had in the life before. */
  recall(topic: Topic, { sequence, timeMs, type, private: isPrivate, value }: RememberedState): void {
    const merged = "merged" in value ? value.merged : undefined;
    const data = "data" in value ? value.data : "";
    const publication: Publication = { topics: [topic.name], data, type, private: isPrivate };
    const latest = new HubEvent(sequence, timeMs, publication, this.#ledger);
    const mergedLength = merged === undefined ? 0 : JSON.stringify(merged).length;
    const bytes = STATE_OVERHEAD_BYTES + latest.textBytes + 2 * mergedLength;
    topic.state = { latest, merged, event: null, bytes, measuredBytes: bytes };
    this.#byChange.set(topic, topic.state);
    this.#bytes += bytes;
    this.#evict(topic);
  }

  /** Holds only this share of its bytes from now on; 1: all that its bound allows. */
  squeeze(share: number): void {
    this.#bound.squeeze(share, this.#bytes);
    this.#evict(null);
  }

  drop(topic: Topic): void {
    const state = this.#byChange.get(topic);
    if (state === undefined) return;
    this.#byChange.delete(topic);
    this.#bytes -= state.bytes;
    topic.state = null;
    this.#release(topic);
  }

  /** @param newest a state that is kept if it is the only one */
  #evict(newest: Topic | null): void {
    const bytesMax = this.#bound.of(this.#bytesMax);
    for (const topic of this.#byChange.keys()) {
      if (this.#bytes <= bytesMax) return;
      if (topic === newest && this.#byChange.size > 1) continue;
      this.evicted++;
      this.drop(topic);
    }
  }
}

/** Undefined where the data can't be merged: no JSON, or nested too deeply to be walked safely. */
function merge(target: Json | undefined, data: string): Json | undefined {
  try {
    const patch = JSON.parse(data) as Json;
    return isDeeperThan(patch, NESTING_MAX) ? undefined : mergePatch(target, patch);
  } catch {
    return undefined;
  }
}
