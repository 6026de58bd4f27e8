import { RECORDED_PRICES, type RecordedSeries } from "./recorded-prices.ts";

/** A share as of one recorded month. What a snapshot holds; updates hold `symbol` and what has changed. */
export interface Quote {
  readonly symbol: string;
  /** Events of this symbol so far; rises by one with each, so that a loss or a double shows. */
  readonly tick: number;
  /** The recorded month, `YYYY-MM`. */
  readonly date: string;
  /** Closing price of the month, in US dollars. */
  readonly price: number;
  /** First closing price of the year. */
  readonly open: number;
  /** Highest and lowest closing price of the year so far. */
  readonly high: number;
  readonly low: number;
  /** Since the month before, in US dollars; 0 in the first month recorded. */
  readonly change: number;
}

export interface FeedItem {
  /** The event's id: the feed-wide number, which rises by one with each event of any symbol. */
  readonly number: number;
  readonly symbol: string;
  /** JSON text. */
  readonly data: string;
}

/** The feed's beginning. Long past, so that ids go on rising when the server is started again. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

/**
 * The recorded prices as an endless feed: a pure function from an event's number to the event. The number follows
 * from the time, so a server that was killed replays, when it is back, what it missed. Symbols take turns; each
 * loops through its recorded months.
 */
export class Replay {
  readonly symbols: readonly string[];
  readonly #months: readonly (readonly Month[])[];
  readonly #intervalMs: number;

  /** @param eventsPerSecond of each symbol */
  constructor(eventsPerSecond: number, series: readonly RecordedSeries[] = RECORDED_PRICES) {
    this.symbols = series.map(({ symbol }) => symbol);
    this.#months = series.map(monthsOf);
    this.#intervalMs = 1000 / (eventsPerSecond * series.length);
  }

  /** Number of the last event that is due at a time in milliseconds since the Unix epoch; 0 before the first. */
  numberAt(timeMs: number): number {
    return Math.max(0, Math.floor((timeMs - EPOCH_MS) / this.#intervalMs));
  }

  /** How many events of all symbols fall into a time. */
  eventsIn(durationMs: number): number {
    return Math.ceil(durationMs / this.#intervalMs);
  }

  /** The symbol whose turn an event is. */
  symbolOf(number: number): string {
    return this.symbols[number % this.symbols.length] as string;
  }

  /** The event of that number: its symbol, and what has changed since that symbol's event before. */
  event(number: number): FeedItem {
    const tick = Math.floor(number / this.symbols.length);
    const { update, quote } = this.#month(number % this.symbols.length, tick);
    return { number, symbol: quote.symbol, data: JSON.stringify({ symbol: quote.symbol, tick, ...update }) };
  }

  /** The whole quote of a known symbol as of a number, with the number of the event that it is the outcome of. */
  snapshot(symbol: string, asOf: number): FeedItem {
    const index = this.symbols.indexOf(symbol);
    const tick = Math.max(0, Math.floor((asOf - index) / this.symbols.length));
    return {
      number: tick * this.symbols.length + index,
      symbol,
      data: JSON.stringify(this.#quote(index, tick)),
    };
  }

  #quote(index: number, tick: number): Quote {
    const { symbol, ...rest } = this.#month(index, tick).quote;
    return { symbol, tick, ...rest };
  }

  #month(index: number, tick: number): Month {
    const months = this.#months[index] as readonly Month[];
    return months[tick % months.length] as Month;
  }
}

interface Month {
  readonly quote: Omit<Quote, "tick">;
  /** What differs from the month before; from the last one, in the first: the recording loops. */
  readonly update: Partial<Quote>;
}

function monthsOf(series: RecordedSeries): Month[] {
  const quotes = quotesOf(series);
  return quotes.map((quote, index) => {
    const before = quotes.at(index - 1) as Omit<Quote, "tick">;
    const changed = Object.entries(quote).filter(
      ([name, value]) => before[name as keyof typeof before] !== value,
    );
    return { quote, update: Object.fromEntries(changed) };
  });
}

function quotesOf({ symbol, from, closes }: RecordedSeries): Omit<Quote, "tick">[] {
  const firstMonth = Number(from.slice(0, 4)) * 12 + Number(from.slice(5)) - 1;
  let [open, high, low] = [0, 0, 0];
  return closes.map((price, index) => {
    const month = (firstMonth + index) % 12;
    if (index === 0 || month === 0) [open, high, low] = [price, price, price];
    high = Math.max(high, price);
    low = Math.min(low, price);
    const date = `${Math.floor((firstMonth + index) / 12)}-${String(month + 1).padStart(2, "0")}`;
    const change = index === 0 ? 0 : Math.round((price - (closes[index - 1] as number)) * 100) / 100;
    return { symbol, date, price, open, high, low, change };
  });
}
