import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type PlacedLink, type PlacementChange, planPlacement } from "./placement.ts";

const LIMITS = { keysPerLink: 10, linksMax: 4 };

describe("placement", () => {
  test("placement: a burst of keys is put on as few new links as it takes", () => {
    assert.deepEqual(planPlacement([], keys(25), { keysPerLink: 10, linksMax: 8 }, false).map(summary), [
      "open 10",
      "open 10",
      "open 5",
    ]);
  });

  test("placement: one more key gets a link of its own, and disturbs none, while there is more than one place left", () => {
    assert.deepEqual(planPlacement([link(1, 3)], keys(1), LIMITS, true).map(summary), ["open 1"]);
  });

  test("placement: at the last place, the fullest link that has room for all is replaced before it is closed", () => {
    const links = [link(1, 9), link(2, 3), link(3, 7)];
    assert.deepEqual(planPlacement(links, keys(2), LIMITS, false).map(summary), ["replace 3 +2"]);
  });

  test("placement: the last place is for new keys when every other link is full", () => {
    const links = [link(1, 10), link(2, 10), link(3, 10)];
    assert.deepEqual(planPlacement(links, keys(2), LIMITS, false).map(summary), ["open 2"]);
  });

  test("placement: with no place left, a link is closed before its replacement is opened", () => {
    const links = [link(1, 10), link(2, 10), link(3, 10), link(4, 5)];
    assert.deepEqual(planPlacement(links, keys(2), LIMITS, false).map(summary), ["replace 4 +2 in place"]);
    assert.deepEqual(
      planPlacement([link(1, 2)], keys(3), { keysPerLink: 10, linksMax: 1 }, false).map(summary),
      ["replace 1 +3 in place"],
    );
  });

  test("placement: while a link is being replaced, keys that need its place wait", () => {
    const links = [link(1, 10), link(2, 5, { settled: false }), link(3, 7, { settled: false })];
    assert.deepEqual(planPlacement(links, keys(2), LIMITS, false), []);
  });

  test("placement: a link that is down is joined, one that connects is waited for", () => {
    const others = [link(1, 10), link(2, 10)];
    const down = planPlacement([...others, link(3, 5, { state: "down" })], keys(2), LIMITS, false);
    assert.deepEqual(down, [{ do: "join", link: 3, keys: ["k0", "k1"] }]);
    assert.deepEqual(
      planPlacement([...others, link(3, 5, { state: "connecting" })], keys(2), LIMITS, false),
      [],
    );
  });

  test("placement: an open link with room is replaced before a link that is down is joined, but not in place", () => {
    const links = [link(1, 3, { state: "down" }), link(2, 9)];
    const limits = { keysPerLink: 10, linksMax: 3 };
    assert.deepEqual(planPlacement(links, keys(2), limits, false).map(summary), ["replace 2 +1"]);
    assert.deepEqual(planPlacement(links, keys(2), { ...limits, linksMax: 2 }, false).map(summary), [
      "join 1 +2",
    ]);
  });

  test("placement: with no place left, sparse links are merged in place where one can resume, lean ones are left", () => {
    const links = [link(1, 10), link(2, 10), link(3, 4), link(4, 5)];
    assert.deepEqual(planPlacement(links, [], LIMITS, true).map(summary), ["replace 3,4 +0 in place"]);
    assert.deepEqual(planPlacement(links, [], LIMITS, false), []);
    const [one, two, three, four] = links as [PlacedLink, PlacedLink, PlacedLink, PlacedLink];
    const half = [one, two, { ...three, resumable: false }, four];
    assert.deepEqual(planPlacement(half, [], LIMITS, true).map(summary), ["replace 4,3 +0 in place"]);
    const none = half.map((each) => ({ ...each, resumable: false }));
    assert.deepEqual(planPlacement(none, [], LIMITS, true), []);
    const lean = [link(1, 10), link(2, 10), link(3, 8), link(4, 4, { keys: 9 })];
    assert.deepEqual(planPlacement(lean, [], LIMITS, true), []);
  });

  test("placement: links that nobody wants are closed, in quiet times sparse ones merged, lean ones replaced", () => {
    assert.deepEqual(planPlacement([link(1, 0), link(2, 5)], [], LIMITS, true).map(summary), ["close 1"]);
    assert.deepEqual(planPlacement([link(1, 2), link(2, 9), link(3, 4)], [], LIMITS, true).map(summary), [
      "replace 1,3 +0",
    ]);
    assert.deepEqual(planPlacement([link(1, 2), link(2, 9), link(3, 4)], [], LIMITS, false), []);
    assert.deepEqual(planPlacement([link(1, 2), link(3, 4, { state: "down" })], [], LIMITS, true), []);
    assert.deepEqual(planPlacement([link(1, 4, { keys: 8 })], [], LIMITS, true).map(summary), [
      "replace 1 +0",
    ]);
    assert.deepEqual(planPlacement([link(1, 5, { keys: 8 })], [], LIMITS, true), []);
  });

  test("placement: whatever comes and goes, no key is without a link or with two, and the bounds hold", () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 15 }) }),
      fc.record({ drop: fc.integer({ min: 1, max: 15 }) }),
      fc.record({ settle: fc.boolean() }),
      fc.record({ quiet: fc.boolean() }),
      fc.record({ probe: fc.boolean() }),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(step, { maxLength: 60 }),
        (linksMax, keysPerLink, steps) => {
          const house = new House({ linksMax, keysPerLink });
          for (const each of steps) {
            if ("add" in each) house.add(each.add);
            else if ("drop" in each) house.drop(each.drop);
            else if ("settle" in each) house.settle(each.settle);
            else if ("probe" in each) house.probe(each.probe);
            house.plan("quiet" in each && each.quiet);
            house.check();
          }
          // Left in peace, everybody gets a place, and the planning comes to rest.
          house.probe(false);
          for (let i = 0; i < 50; i++) {
            house.settle(true);
            if (house.plan(true) === 0) break;
            house.check();
          }
          assert.equal(house.plan(true), 0, "comes to rest");
          assert.equal(house.homeless.length, 0, "all have a place");
        },
      ),
      { numRuns: 500 },
    );
  });
});

const keys = (count: number) => Array.from({ length: count }, (_, n) => `k${n}`);

const link = (id: number, held: number, rest: Partial<PlacedLink> = {}): PlacedLink => ({
  id,
  held,
  keys: held,
  settled: true,
  state: "open",
  resumable: true,
  ...rest,
});

function summary(change: PlacementChange): string {
  if (change.do === "open") return `open ${change.keys.length}`;
  if (change.do === "close") return `close ${change.link}`;
  if (change.do === "join") return `join ${change.link} +${change.keys.length}`;
  return `replace ${change.links} +${change.keys.length}${change.inPlace ? " in place" : ""}`;
}

interface Room {
  readonly id: number;
  /** Keys asked for. */
  readonly asked: Set<string>;
  from: Room[] | null;
  leaving: boolean;
  state: PlacedLink["state"];
}

/** Performs changes on paper. A replacement's new and old links live side by side until it settles. */
class House {
  readonly limits: { keysPerLink: number; linksMax: number };
  readonly held = new Map<string, Room | null>();
  rooms: Room[] = [];
  /** A link more, that asks for keys apart from others: it takes a place of the others'. */
  #isProbing = false;
  #ids = 0;
  #keys = 0;

  constructor(limits: { keysPerLink: number; linksMax: number }) {
    this.limits = limits;
  }

  get homeless(): string[] {
    return [...this.held].filter(([, room]) => room === null).map(([key]) => key);
  }

  add(count: number): void {
    for (let i = 0; i < count && this.held.size < this.limits.keysPerLink * this.limits.linksMax; i++) {
      this.held.set(`k${this.#keys++}`, null);
    }
  }

  drop(count: number): void {
    for (const key of [...this.held.keys()].slice(0, count)) this.held.delete(key);
  }

  settle(isUp: boolean): void {
    for (const room of this.rooms) {
      room.state = isUp ? "open" : "down";
      if (!isUp) continue;
      for (const old of room.from ?? []) {
        this.rooms = this.rooms.filter((each) => each !== old);
        for (const [key, owner] of this.held) if (owner === old) this.held.set(key, room);
      }
      room.from = null;
    }
  }

  /** Begins only where there is a place for it. */
  probe(begins: boolean): void {
    this.#isProbing = begins && (this.#isProbing || this.rooms.length < this.limits.linksMax);
  }

  plan(quiet: boolean): number {
    const placed = this.rooms.map((room) => ({
      id: room.id,
      keys: room.asked.size,
      held: room.from === null ? this.#heldBy(room).length : room.asked.size,
      settled: room.from === null && !room.leaving,
      state: room.state,
      resumable: room.id % 3 > 0,
    }));
    const { keysPerLink, linksMax } = this.limits;
    const free = { keysPerLink, linksMax: this.#isProbing ? linksMax - 1 : linksMax };
    const changes = planPlacement(placed, this.homeless, free, quiet);
    for (const change of changes) {
      if (change.do === "close") this.rooms = this.rooms.filter((room) => room.id !== change.link);
      else if (change.do === "open") this.#move(change.keys, []);
      else if (change.do === "join") this.#join(change.link, change.keys);
      else {
        const from = change.links.map(
          (id) => this.rooms.find((room) => room.id === id) ?? assert.fail("no such link"),
        );
        if (change.inPlace) {
          const [old, ...others] = from as [Room, ...Room[]];
          const moved = this.#heldBy(old);
          this.rooms = this.rooms.filter((room) => room !== old);
          this.#move([...moved, ...change.keys], others);
        } else this.#move(change.keys, from);
      }
    }
    return changes.length;
  }

  check(): void {
    assert.ok(this.rooms.length + (this.#isProbing ? 1 : 0) <= this.limits.linksMax, "links");
    for (const room of this.rooms) assert.ok(room.asked.size <= this.limits.keysPerLink, "keys of a link");
    for (const [key, room] of this.held) {
      if (room !== null)
        assert.ok(this.rooms.includes(room) && room.asked.has(key), "the owner is there and asks for it");
    }
  }

  #join(id: number, keys: readonly string[]): void {
    const room = this.rooms.find((each) => each.id === id) ?? assert.fail("no such link");
    assert.equal(room.state, "down");
    const asked = [...this.#heldBy(room), ...keys];
    room.asked.clear();
    for (const key of asked) room.asked.add(key);
    for (const key of keys) this.held.set(key, room);
  }

  #heldBy(room: Room): string[] {
    return [...this.held].filter(([, owner]) => owner === room).map(([key]) => key);
  }

  #move(added: readonly string[], from: Room[]): void {
    const asked = new Set([...from.flatMap((room) => this.#heldBy(room)), ...added]);
    const room: Room = {
      id: ++this.#ids,
      asked,
      from: from.length > 0 ? from : null,
      leaving: false,
      state: "connecting",
    };
    for (const old of from) old.leaving = true;
    for (const key of added) this.held.set(key, room);
    this.rooms.push(room);
  }
}
