import { Client } from "./client.ts";
import { EventSourceReader, type StreamBlock } from "./event-source.ts";
import { Reading, topicIn } from "./reading.ts";
import type { ClientRequest } from "./simulated-http.ts";
import type { Wire } from "./wire.ts";

/** A browser's `EventSource`, and what it must never be told. */
export class SseClient extends Client {
  #reader = new EventSourceReader();
  #reading: Reading | null = null;
  #lastEventId = "";
  /** What the last request asked to resume after. */
  #asked = "";
  #retryMs = 3000;
  #topics: readonly string[] | null = null;
  /** States that came before the place in the log that they go with. */
  #states: string[] = [];
  #isFresh = true;
  /** That what it asked to resume from is not known any more. */
  #wasTold = false;

  /** Begins anew, with other topics and without a place in the log. */
  forget(): void {
    this.#isFresh = true;
    if (this.isConnected) this.leave();
  }

  get anyTopic(): string | null {
    return this.#topics?.[0] ?? null;
  }

  protected get isStreaming(): boolean {
    return this.#reading !== null;
  }

  protected *readings(): Iterable<Reading> {
    if (this.#reading !== null) yield this.#reading;
  }

  protected request(): ClientRequest {
    if (this.#isFresh) {
      const { topics } = this.plan;
      this.#topics = topics === null ? null : this.chance.some(topics, this.chance.whole(1, topics.length));
      this.#lastEventId = "";
      this.#isFresh = false;
    }
    this.#reader = new EventSourceReader();
    this.#reading = null;
    this.#states = [];
    this.#wasTold = false;
    this.#asked = this.#lastEventId;
    const query = (this.#topics ?? ["*"]).map((topic) => `match=${encodeURIComponent(topic)}`).join("&");
    const headers = { authorization: `Bearer ${this.token}` };
    return {
      method: "GET",
      url: `/.well-known/mercure?${query}`,
      headers: this.#lastEventId === "" ? headers : { ...headers, "last-event-id": this.#lastEventId },
      body: "",
    };
  }

  protected received(bytes: Buffer): void {
    const blocks = this.#reader.read(bytes);
    const { status } = this.#reader;
    if (status !== null && status !== 200) {
      this.world.breaks(
        "refusal",
        `${this.plan.name} was answered ${status}, upon which an event source gives up`,
      );
      return;
    }
    for (const block of blocks) this.#block(block);
  }

  protected over(): number {
    this.world.note(this.plan.name, "is cut");
    this.#reading = null;
    return this.#retryMs * this.chance.between(1, 1.2);
  }

  protected goodbye(wire: Wire): void {
    this.#reading = null;
    if (this.chance.happens(0.5)) wire.end();
    else wire.reset();
  }

  #block(block: StreamBlock): void {
    const { id, type, data, comment } = block;
    if (block.retryMs !== null) this.#retryMs = block.retryMs;
    const cursor = id === null ? null : cursorOf(id);
    if (data !== null) this.#dispatch(type, data, cursor);
    else if (cursor !== null && (comment === "ok" || comment === "live")) this.#begin(cursor);
    else if (cursor !== null) this.#reading?.through(cursor.sequence);
    if (id !== null) this.#lastEventId = id;
  }

  #dispatch(type: string, data: string, cursor: Cursor | null): void {
    this.events++;
    const { name } = this.plan;
    this.world.note(name, "gets", type, cursor === null ? "" : cursor.sequence);
    if (type === "gap") {
      // One that begins a stream stands before every event: what was asked for is not known any more.
      if (this.#reading === null) this.#wasTold = true;
      else if (cursor !== null) this.#reading.gap(cursor.sequence);
    } else if (this.#reading === null) {
      this.#states.push(data);
    } else if (cursor === null) {
      this.world.breaks("forged", `${name} got an event without a cursor`);
    } else {
      this.#reading.event(topicIn(data), cursor.sequence, data);
    }
  }

  /** From here on events come. A stream that resumes says so with the place that it was asked for. */
  #begin({ epoch, sequence }: Cursor): void {
    const life = this.door.lives.get(epoch);
    if (life === undefined) {
      this.world.breaks("forged", `${this.plan.name} was told of a life ${epoch} that never was`);
      return;
    }
    const reading = new Reading(
      this.world,
      this.plan.name,
      life.hub.ledger,
      this.#topics,
      sequence,
      (topic) => this.mayThin(topic),
    );
    if (this.#wasTold) reading.knowsOfBreaks();
    for (const state of this.#states) reading.state(topicIn(state), state, !this.#wasTold);
    this.#states = [];
    this.#reading = reading;
    this.world.note(this.plan.name, "begins", epoch, sequence);
    const asked = cursorOf(this.#asked);
    if (asked === null || this.#wasTold || (asked.epoch === epoch && asked.sequence === sequence)) return;
    const detail = `asked for what follows ${this.#asked}, begins at ${sequence} of ${epoch}, and was not told`;
    this.world.breaks("gap", `${this.plan.name} ${detail}`);
  }
}

interface Cursor {
  readonly epoch: string;
  readonly sequence: number;
}

function cursorOf(id: string): Cursor | null {
  const match = /^#([^.]+)\.(\d+)$/.exec(id);
  return match === null ? null : { epoch: match[1] as string, sequence: Number(match[2]) };
}
