import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "undici";
import type { VirtualClock } from "#base/virtual-clock.ts";
import { required } from "./required.ts";

export const RULES = new URL("../../docs/alerts/streamkeeper.rules.yaml", import.meta.url).pathname;

/** Why promtool can't be had; false: it can. Debian's package `prometheus` has it. */
export const promtoolMissing = required("promtool", spawnSync("promtool", ["--version"]).status === 0);

export function promtool(args: readonly string[], input = ""): { status: number | null; text: string } {
  const { status, stdout, stderr, error } = spawnSync("promtool", args, { input, encoding: "utf8" });
  if (error !== undefined) throw error;
  return { status, text: `${stdout}${stderr}` };
}

/** Seconds between two scrapes, as Prometheus would make them. */
const SCRAPE_S = 15;
/** What the rules look at. */
const WANTED = /^(streamkeeper_|process_(open|max)_fds)/;

/** Scrapes a real gateway as Prometheus does, in the gateway's own time, and asks promtool which alerts that fires. */
export class AlertRecorder {
  readonly #clock: VirtualClock;
  readonly #startS: number;
  readonly #series = new Map<string, (number | null)[]>();
  #scrapes = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.#startS = clock.nowMs() / 1000;
  }

  /** Minutes of scrapes, with something done before each. */
  async minutes(count: number, url: string, before: (scrape: number) => unknown = () => {}): Promise<void> {
    for (let scrape = 0; scrape < (count * 60) / SCRAPE_S; scrape++) {
      await before(scrape);
      await this.#pass(SCRAPE_S * 1000);
      await this.scrape(url);
    }
  }

  /** Minutes in which every scrape says what the last one did: for what stays as it is. */
  hold(minutes: number): void {
    const scrapes = (minutes * 60) / SCRAPE_S;
    for (const values of this.#series.values()) {
      if (values.length < this.#scrapes) continue;
      for (let n = 0; n < scrapes; n++) values.push(values.at(-1) ?? null);
    }
    this.#scrapes += scrapes;
  }

  /** One scrape. @param ca PEM of the authority that the gateway's certificate comes from */
  async scrape(url: string, ca?: Buffer): Promise<void> {
    const text = await answerOf(`${url}/metrics`, ca);
    this.#note('up{job="streamkeeper",instance="gateway"}', text === null ? 0 : 1);
    const ready = await answerOf(`${url}/readyz`, ca);
    this.#note('probe_success{job="streamkeeper-ready",instance="gateway"}', ready === null ? 0 : 1);
    for (const line of (text ?? "").split("\n")) {
      const [, name = "", labels, value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (!WANTED.test(name)) continue;
      const all = ['job="streamkeeper"', 'instance="gateway"', ...(labels === undefined ? [] : [labels])];
      // promtool's time begins at the epoch: what is a time is told from the first scrape on.
      const offset = name.endsWith("_timestamp_seconds") ? this.#startS : 0;
      this.#note(`${name}{${all.join(",")}}`, Number(value) - offset);
    }
    this.#scrapes++;
  }

  /** Names of the alerts that fired at some time. */
  fired(): string[] {
    const minutes = Math.ceil((this.#scrapes * SCRAPE_S) / 60);
    const firing = {
      expr: 'sum by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1d]))',
      eval_time: `${minutes}m`,
      exp_samples: [],
    };
    const directory = mkdtempSync(join(tmpdir(), "streamkeeper-alerts-"));
    try {
      const file = join(directory, "test.json");
      const series = Array.from(this.#series, ([name, values]) => ({
        series: name,
        values: valuesOf(values, this.#scrapes),
      }));
      // JSON is YAML. What is expected is nothing, so that promtool tells what there is.
      const test = { interval: `${SCRAPE_S}s`, input_series: series, promql_expr_test: [firing] };
      writeFileSync(
        file,
        JSON.stringify({ rule_files: [RULES], evaluation_interval: `${SCRAPE_S}s`, tests: [test] }),
      );
      const { status, text } = promtool(["test", "rules", file]);
      if (status === 0) return [];
      const got = /got:(.*)/s.exec(text)?.[1];
      assert.ok(got, text);
      return [...got.matchAll(/alertname="(\w+)"/g)].map(([, name]) => name as string).toSorted();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** From timer to timer, with a turn of the event loop between, so that what a timer queues is written at its time. */
  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; ) {
      const step = Math.min(left, Math.max(1, this.#clock.nextDueInMs ?? left));
      this.#clock.advance(step);
      left -= step;
      await new Promise(setImmediate);
    }
  }

  #note(series: string, value: number): void {
    let values = this.#series.get(series);
    if (values === undefined) {
      values = [];
      this.#series.set(series, values);
    }
    while (values.length < this.#scrapes) values.push(null);
    values.push(value);
  }
}

/** In promtool's words; what was there and is not any more is stale, as in Prometheus itself. */
function valuesOf(values: readonly (number | null)[], scrapes: number): string {
  const first = values.findIndex((value) => value !== null);
  return Array.from({ length: scrapes }, (_, n) => values[n] ?? (n < first ? "_" : "stale")).join(" ");
}

/** Null: no answer, or not 200. */
async function answerOf(url: string, ca?: Buffer): Promise<string | null> {
  const dispatcher = ca === undefined ? undefined : new Agent({ connect: { ca, servername: "localhost" } });
  try {
    const { statusCode, body } = await request(url, dispatcher === undefined ? {} : { dispatcher });
    const text = await body.text();
    return statusCode === 200 ? text : null;
  } catch {
    return null;
  } finally {
    await dispatcher?.destroy();
  }
}
