import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RECORDED_PRICES } from "./recorded-prices.ts";
import { Replay } from "./replay.ts";

const replay = new Replay(10);

test("replay: a snapshot and the updates after it make the later snapshot, for every symbol and place", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...replay.symbols),
      fc.integer({ min: 5, max: 2 ** 40 }),
      fc.nat(800),
      (symbol, from, length) => {
        let quote = JSON.parse(replay.snapshot(symbol, from).data);
        for (let number = from + 1; number <= from + length; number++) {
          const event = replay.event(number);
          if (event.symbol === symbol) quote = { ...quote, ...JSON.parse(event.data) };
        }
        assert.deepEqual(quote, JSON.parse(replay.snapshot(symbol, from + length).data));
      },
    ),
  );
});

test("replay: a snapshot has the id of its symbol's last event at or before the number", () => {
  for (let number = 1000; number < 1020; number++) {
    for (const symbol of replay.symbols) {
      const { number: at } = replay.snapshot(symbol, number);
      assert.equal(replay.symbolOf(at), symbol);
      assert.ok(at <= number && at > number - replay.symbols.length);
    }
  }
});

test("replay: prices are the recorded ones, month by month, and loop", () => {
  const google = RECORDED_PRICES.findIndex(({ symbol }) => symbol === "GOOG");
  const closes = RECORDED_PRICES[google]?.closes ?? [];
  const quotes = Array.from({ length: closes.length + 1 }, (_, tick) =>
    JSON.parse(replay.snapshot("GOOG", tick * 5 + google).data),
  );
  assert.deepEqual(
    quotes.map(({ price }) => price),
    [...closes, closes[0]],
  );
  assert.deepEqual(quotes[0], {
    symbol: "GOOG",
    tick: 0,
    date: "2004-08",
    price: 102.37,
    open: 102.37,
    high: 102.37,
    low: 102.37,
    change: 0,
  });
  assert.equal(quotes[5].date, "2005-01");
  assert.equal(quotes[5].open, quotes[5].price);
  assert.equal(quotes.at(-1).tick, closes.length);
});

test("replay: an update holds the symbol, the tick and only what has changed", () => {
  const microsoft = replay.symbols.indexOf("MSFT");
  // From January to February 2000: the price fell, so the year's open and high stand.
  const update = JSON.parse(replay.event(5 + microsoft).data);
  assert.deepEqual(update, {
    symbol: "MSFT",
    tick: 1,
    date: "2000-02",
    price: 36.35,
    low: 36.35,
    change: -3.46,
  });
});

test("replay: numbers follow from the time at the asked rate, and never fall with it", () => {
  const now = Date.UTC(2026, 5, 1);
  assert.equal(replay.numberAt(now + 60_000) - replay.numberAt(now), 60 * 10 * 5);
  assert.equal(replay.numberAt(0), 0);
  assert.equal(replay.eventsIn(1000), 50);
});
