import { messageOf } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Hub } from "#hub/hub.ts";
import type { AdminDesk } from "#ops/admin/ports.ts";
import { RESERVED_TOPICS } from "#protocol/topic.ts";

const OVERVIEW = `${RESERVED_TOPICS}overview`;
const FEEDS = `${RESERVED_TOPICS}feeds`;

/** Tells administrators over the gateway's own streams what is, while at least one of them listens. */
export class AdminLive {
  readonly #hub: Hub;
  readonly #desk: AdminDesk;
  readonly #linkChanges: () => number;
  readonly #log: Logger;
  #toldChanges = -1;
  #isTelling = false;

  constructor(parts: { hub: Hub; desk: AdminDesk; linkChanges: () => number; log: Logger }) {
    this.#hub = parts.hub;
    this.#desk = parts.desk;
    this.#linkChanges = parts.linkChanges;
    this.#log = parts.log;
  }

  /** To be called every second. */
  tick(): void {
    if (this.#isWanted(FEEDS)) {
      const changes = this.#linkChanges();
      if (changes !== this.#toldChanges) this.#publish(FEEDS, this.#desk.feeds());
      this.#toldChanges = changes;
    } else {
      this.#toldChanges = -1;
    }
    if (this.#isWanted(OVERVIEW) && !this.#isTelling) void this.#tellOverview();
  }

  async #tellOverview(): Promise<void> {
    this.#isTelling = true;
    try {
      this.#publish(OVERVIEW, await this.#desk.overview());
    } catch (error) {
      this.#log.warn({ reason: messageOf(error) }, "the overview could not be told");
    } finally {
      this.#isTelling = false;
    }
  }

  #isWanted(topic: string): boolean {
    for (const _ of this.#hub.subscribersOf(topic)) return true;
    return false;
  }

  #publish(topic: string, value: object): void {
    this.#hub.publish({ topics: [topic], data: JSON.stringify(value), type: "", private: false });
  }
}
