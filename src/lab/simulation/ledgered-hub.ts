import type { Clock } from "#base/clock.ts";
import { type Demand, type DemandVerdict, Hub, type HubEvent } from "#hub/hub.ts";
import type { Publication } from "#protocol/event.ts";
import type { FeedOrigin } from "./feed-origin.ts";
import { Ledger } from "./ledger.ts";
import type { Scenario } from "./scenario.ts";
import type { UpstreamBook } from "./upstream-book.ts";
import type { World } from "./world.ts";

/** The hub, with a clerk at its door who writes down what enters. What leaves is held against that. */
export class LedgeredHub extends Hub {
  readonly ledger: Ledger;
  readonly #origins: ReadonlyMap<string, FeedOrigin>;
  readonly #book: UpstreamBook;

  constructor(
    world: World,
    epoch: string,
    { log, stateBytesMax }: Scenario,
    demand: Demand,
    origins: ReadonlyMap<string, FeedOrigin>,
    book: UpstreamBook,
    clock: Clock,
  ) {
    const ledger = new Ledger(world, epoch);
    let head = () => 0;
    const wanted = (topic: string): DemandVerdict => {
      const verdict = demand.wanted(topic);
      if (verdict === "begun") {
        ledger.note(head() + 1, topic, "begun");
        book.begun(topic);
      }
      return verdict;
    };
    const noted: Demand = { wanted, unwanted: (topic) => demand.unwanted(topic) };
    super({ epoch, log, stateBytesMax, nowMs: () => clock.nowMs(), demand: noted });
    head = () => this.head;
    this.ledger = ledger;
    this.#origins = origins;
    this.#book = book;
  }

  override publish(publication: Publication): HubEvent {
    const event = super.publish(publication);
    for (const topic of publication.topics) {
      this.ledger.note(event.sequence, topic, "event", event.data);
      const origin = this.#origins.get(topic.split("/", 2)[1] ?? "");
      if (origin !== undefined) this.#book.event(origin, topic, event.data);
    }
    return event;
  }

  override markGap(names: readonly string[], isPrivate: boolean): void {
    // Before, since who is told may well leave, which may be an event.
    const sequence = this.head + 1;
    super.markGap(names, isPrivate);
    for (const topic of names) {
      this.ledger.note(sequence, topic, "gap");
      this.#book.gap(topic);
    }
  }
}
