import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import type { LinkCursorStore } from "#protocol/link-cursor-store.ts";
import { CursorKeeper, SAVE_EVERY_MS } from "./cursor-keeper.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const FEED = "quotes";

/** Rows of one feed in a map, and each write as it came. */
class Rows implements LinkCursorStore {
  readonly rows = new Map<string, string>();
  readonly writes: ReadonlyMap<string, string>[] = [];
  isBroken = false;

  async feeds(): Promise<readonly string[]> {
    return this.rows.size === 0 ? [] : [FEED];
  }
  async load(feed: string): Promise<ReadonlyMap<string, string>> {
    if (this.isBroken) throw new Error("the database is gone");
    return feed === FEED ? this.rows : new Map();
  }
  async save(feed: string, link: string, id: string): Promise<void> {
    await this.saveAll(feed, new Map([[link, id]]));
  }
  async saveAll(_feed: string, ids: ReadonlyMap<string, string>): Promise<void> {
    if (this.isBroken) throw new Error("the database is gone");
    this.writes.push(ids);
    for (const [link, id] of ids) {
      if (id === "") this.rows.delete(link);
      else this.rows.set(link, id);
    }
  }
  async prune(): Promise<number> {
    return 0;
  }
}

async function second(clock: VirtualClock): Promise<void> {
  clock.advance(SAVE_EVERY_MS);
  await nextTurn();
}

describe("cursor keeper", () => {
  test("cursor keeper: writes what has changed, once a second, forgets what is let go, and keeps the rest at the end", async () => {
    const clock = new VirtualClock();
    const store = new Rows();
    const keeper = await CursorKeeper.open(store, ["quotes"], { clock, log: silentLogger });
    let ids = new Map([
      ["A", "1"],
      ["B", "1"],
    ]);
    const watch = keeper.watch("quotes", () => ids);
    await second(clock);
    await second(clock);
    ids = new Map([["A", "2"]]);
    await second(clock);
    await second(clock);
    ids = new Map([
      ["A", "3"],
      ["C", "3"],
    ]);
    watch.end();
    ids = new Map();
    await keeper[Symbol.asyncDispose]();
    assert.deepEqual(
      store.writes.map((write) => Object.fromEntries(write)),
      [
        { A: "1", B: "1" },
        { A: "2", B: "" },
        { A: "3", C: "3" },
      ],
    );
    assert.equal(clock.timersPending, 0);
  });

  test("cursor keeper: answers what the life before has left, once, and leaves unclaimed rows alone", async () => {
    const clock = new VirtualClock();
    const store = new Rows();
    store.rows.set("A", "7").set("B", "7");
    await using keeper = await CursorKeeper.open(store, ["quotes"], { clock, log: silentLogger });
    assert.equal(keeper.take("quotes", "A"), "7");
    assert.equal(keeper.take("quotes", "A"), "");
    assert.equal(keeper.take("news", "A"), "");
    keeper.watch("quotes", () => new Map([["A", "7"]]));
    await second(clock);
    assert.equal(store.rows.get("B"), "7");
  });

  test("cursor keeper: knows what it has of feeds that are added later, and of those that are taken out and come back", async () => {
    const clock = new VirtualClock();
    const store = new Rows();
    store.rows.set("A", "7");
    await using keeper = await CursorKeeper.open(store, ["news"], { clock, log: silentLogger });
    await nextTurn();
    assert.equal(keeper.take("quotes", "A"), "7");
    const watch = keeper.watch("quotes", () => new Map([["A", "8"]]));
    watch.end();
    assert.equal(keeper.take("quotes", "A"), "8");
    const first = keeper.watch("quotes", () => new Map([["A", "9"]]));
    keeper.watch("quotes", () => new Map());
    first.end();
    assert.equal(keeper.take("quotes", "A"), "", "another one has taken its place");
  });

  test("cursor keeper: a database that fails holds up nothing, and is written to when it is back", async () => {
    const clock = new VirtualClock();
    const store = new Rows();
    store.isBroken = true;
    await using keeper = await CursorKeeper.open(store, ["quotes"], { clock, log: silentLogger });
    keeper.watch("quotes", () => new Map([["A", "1"]]));
    await second(clock);
    store.isBroken = false;
    await second(clock);
    assert.equal(store.rows.get("A"), "1");
  });
});
