import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Gateway } from "#app/gateway.ts";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { parseConfig } from "#config/load.ts";
import { FeedServer } from "./feed-server.ts";
import { gatewayYaml, PASSWORD, signIn } from "./gateway.ts";
import { assertPage, type Measure, type MetricsPage, scrape } from "./metrics-page.ts";

/** What was done to a gateway, in the words of its metrics: samples without the prefix. */
class Ledger {
  readonly samples: Record<string, number> = {};

  add(series: string, by = 1): void {
    this.samples[series] = (this.samples[series] ?? 0) + by;
  }

  set(series: string, value: number): void {
    this.samples[series] = value;
  }
}

/** A whole gateway on a feed, in time that moves when told to; users `ann` (trader) and `root` (admin) with their tokens. */
export interface TruthStage {
  readonly gateway: Gateway;
  readonly port: number;
  readonly clock: VirtualClock;
  readonly feed: FeedServer;
  readonly ledger: Ledger;
  readonly ann: string;
  readonly root: string;
  /** Waits while time goes on by a millisecond with each turn of the event loop. */
  until(what: string, holds: () => boolean): Promise<void>;
  post(path: string, body: object, token?: string): Promise<Response>;
  /** Asks the admin API. */
  // biome-ignore lint/suspicious/noExplicitAny: numbers are compared one by one
  admin(path: string): Promise<any>;
  /** Waits until opened and closed are the ledger's, and holds every sample against it. */
  compare(measured?: Readonly<Record<string, Measure>>): Promise<MetricsPage>;
}

export async function truthStage(t: TestContext, yamlOf: (feedUrl: string) => string): Promise<TruthStage> {
  const clock = new VirtualClock();
  const feed = await FeedServer.open();
  t.after(() => feed[Symbol.asyncDispose]());
  const { config } = parseConfig(gatewayYaml(yamlOf(feed.origin)), null, {});
  const gateway = await Gateway.open(config, { log: silentLogger, clock });
  t.after(() => gateway[Symbol.asyncDispose]());
  await gateway.addUser("ann", PASSWORD, "trader");
  await gateway.addUser("root", PASSWORD, "admin");
  const [ann, root] = [await signIn(gateway), await signIn(gateway, "root")];
  const ledger = new Ledger();
  const until = async (what: string, holds: () => boolean) => {
    const deadlineMs = performance.now() + 5000;
    while (!holds()) {
      assert.ok(performance.now() < deadlineMs, `not in time: ${what}`);
      clock.advance(1);
      await new Promise(setImmediate);
    }
  };
  return {
    gateway,
    port: Number(new URL(gateway.url).port),
    clock,
    feed,
    ledger,
    ann,
    root,
    until,
    post: (path, body, token) =>
      fetch(`${gateway.url}${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(body),
      }),
    admin: async (path) => {
      const response = await fetch(`${gateway.url}/admin/api/v1/${path}`, {
        headers: { authorization: `Bearer ${root}` },
      });
      assert.equal(response.status, 200);
      return await response.json();
    },
    compare: async (measured = {}) => {
      const { samples } = ledger;
      const opened = samples.connections_opened_total ?? 0;
      const closed = sumWhere(samples, "connections_closed_total{");
      await until("the books agree", () => {
        const totals = gateway.totals();
        return (
          totals.opened === opened && totals.closed === closed && gateway.stats().sockets === opened - closed
        );
      });
      const page = await scrape(gateway.url);
      assertPage(page, samples, { ...MEASURED, ...ofHub(gateway), ...measured });
      return page;
    },
  };
}

export function sumWhere(samples: Readonly<Record<string, number>>, prefix: string): number {
  return Object.entries(samples).reduce(
    (sum, [series, value]) => sum + (series.startsWith(prefix) ? value : 0),
    0,
  );
}

/** What the machine says, not the test. */
const MEASURED: Readonly<Record<string, Measure>> = {
  memory_limit_bytes: (value) => value > 64 * 2 ** 20,
};

function ofHub(gateway: Gateway): Readonly<Record<string, Measure>> {
  return {
    log_bytes: (value) => value === gateway.hub.stats().logBytes,
    connections_limit: (value) => value > 0 && value <= 20_000,
    topics: (value) => value === gateway.hub.stats().topics,
  };
}
