import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { runCheck } from "#lab/check/run.ts";
import { parseTarget } from "#lab/check/target.ts";
import { openDemoFeed } from "#lab/demo-feed/server.ts";
import { feedYaml, openGateway, PASSWORD } from "../helpers/gateway.ts";

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
}

const TLS = `tls: { cert: ${fixture("good.crt")}, key: ${fixture("good.key")} }`;

for (const [way, yaml] of [
  ["plain HTTP", ""],
  ["TLS", TLS],
] as const) {
  test(`check over ${way}: the whole gateway passes each step, both forced breaks included`, async () => {
    const clock = new SystemClock();
    await using feed = await openDemoFeed(
      { eventsPerSecond: 50, resetEveryMs: null },
      clock,
      seededRandom(1),
    );
    const url = `http://127.0.0.1:${feed.port}/quotes?symbols={keys}`;
    await using gateway = await openGateway(`${yaml}\n${feedYaml(url, "state: merge")}`);
    const report = await runCheck(
      {
        target: parseTarget(gateway.url, fixture("ca.crt")),
        topic: "/quotes/AAPL",
        credentials: { user: "ann", password: PASSWORD },
        timeoutMs: 10_000,
      },
      clock,
      () => {},
    );
    const told = JSON.stringify(report.steps, null, 2);
    assert.ok(report.ok, told);
    const skipped = report.steps.filter(({ outcome }) => outcome === "skipped").map(({ name }) => name);
    assert.deepEqual(skipped, way === "TLS" ? ["dns"] : ["dns", "tls"], told);
    for (const name of ["resume sse", "resume websocket"]) {
      const step = report.steps.find((candidate) => candidate.name === name);
      assert.match(step?.detail ?? "", /all \d+ events of the break came, in order, once/, told);
    }
  });
}
