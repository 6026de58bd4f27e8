import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { LOAD_PLAN, LOAD_TARGET } from "../../../../test/helpers/load-plan.ts";
import { Histogram } from "../histogram.ts";
import type { LoadPlan } from "../plan.ts";
import { Publisher } from "../publisher.ts";
import type { Dialect, LoadTarget } from "../target.ts";
import { Publishers } from "./publishers.ts";

/** A hundred are due at once, and no more for a long time. */
const PLAN: LoadPlan = {
  ...LOAD_PLAN,
  topics: 2,
  publishers: 2,
  burst: 100,
  eventsPerSecond: 1,
  pipeline: 8,
};

test("publishers of load: what was due and never sent is counted, each event as late as it was", async () => {
  await using hub = await openHub();
  const publishers = hub.publishers(PLAN);
  publishers.begin();
  await hub.asked(16);
  const stopping = publishers.stop();
  await hub.whenTrue(() => publishers.sample().unsent > 0);
  hub.answerAll();
  const published = await stopping;
  const { due, unsent, published: sent, accepted, lagUs } = publishers.sample();
  assert.deepEqual({ due, unsent, sent, accepted }, { due: 100, unsent: 84, sent: 16, accepted: 16 });
  assert.deepEqual(published, { counts: [8, 8], refused: [] });
  const lag = new Histogram();
  lag.add(lagUs);
  assert.equal(lag.count, 100);
  // 16 of 100 were sent on time; the others waited for at least a second.
  assert.ok((lag.percentile(50) ?? 0) > 900_000, `p50 ${lag.percentile(50)} µs`);
});

test("publishers of load: what is due at the very end is still sent to a target that takes it", async () => {
  await using hub = await openHub();
  hub.answerAll();
  const publishers = hub.publishers(PLAN);
  publishers.begin();
  await publishers.stop();
  const { due, unsent, accepted } = publishers.sample();
  assert.deepEqual({ due, unsent, accepted }, { due: 100, unsent: 0, accepted: 100 });
});

test("publishers of load: as fast as is taken, nothing is due that was not sent", async () => {
  await using hub = await openHub();
  const publishers = hub.publishers({ ...PLAN, eventsPerSecond: null });
  publishers.begin();
  await hub.asked(16);
  const stopping = publishers.stop();
  hub.answerAll();
  await stopping;
  const { due, unsent, accepted } = publishers.sample();
  assert.deepEqual({ due, unsent, accepted }, { due: 16, unsent: 0, accepted: 16 });
});

test("publishers of load: a connection that breaks is told as that", async () => {
  await using hub = await openHub();
  const publishers = hub.publishers({ ...PLAN, burst: 5 });
  publishers.begin();
  await hub.asked(5);
  const stopping = publishers.stop();
  hub.cut();
  const { refused } = await stopping;
  assert.equal(refused.length, 5);
  assert.deepEqual(publishers.sample().refused, { "connection broke": 5 });
});

test("publisher of load: what is given up is told once, and an answer after all is none", async () => {
  await using hub = await openHub();
  const heard: (string | null)[] = [];
  const sink = { answered: (_: unknown, refusal: string | null) => void heard.push(refusal) };
  const publisher = new Publisher(hub.target(), null, sink);
  publisher.publish("/load/0", "{}", { stream: 0, sequence: 1, timeUs: 1 });
  publisher.publish("/load/0", "{}", { stream: 0, sequence: 2, timeUs: 1 });
  await hub.asked(2);
  publisher.giveUp();
  assert.deepEqual(heard, ["no answer", "no answer"]);
  hub.answerAll();
  publisher.publish("/load/0", "{}", { stream: 0, sequence: 3, timeUs: 1 });
  await hub.whenTrue(() => heard.length > 2);
  assert.deepEqual(heard.slice(2), [null], "on a connection of its own");
});

test("publishers of load: what Centrifugo refuses in a 200 is refused, and by its code", async () => {
  const said = ['{"result":{}}', '{"error":{"code":103,"message":"permission denied"}}', "{}", "<html>"];
  await using hub = await openHub(said);
  hub.answerAll();
  const publishers = hub.publishers(
    { ...PLAN, burst: 8, publishers: 1 },
    { publishFormat: "centrifugo", topicPrefix: "load-" },
  );
  publishers.begin();
  const { refused } = await publishers.stop();
  const { accepted, refused: reasons } = publishers.sample();
  assert.equal(accepted, 4);
  assert.deepEqual(reasons, { "error 103": 2, "no answer of Centrifugo's": 2 });
  assert.equal(refused.length, 4);
});

/** A hub that takes requests, and answers once it is told to. */
async function openHub(said: readonly string[] = ["urn:uuid:1"]) {
  const waiting: ServerResponse[] = [];
  let isAnswering = false;
  let asked = 0;
  let answered = 0;
  let changed = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    request.resume();
    waiting.push(response);
    asked++;
    changed.resolve();
    if (isAnswering) answerAll();
  });
  const answerAll = (): void => {
    isAnswering = true;
    for (const response of waiting.splice(0)) response.end(said[answered++ % said.length]);
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const target = (dialect: Partial<Dialect> = {}): LoadTarget => ({
    ...LOAD_TARGET,
    port,
    authority: `127.0.0.1:${port}`,
    dialect: { ...LOAD_TARGET.dialect, ...dialect },
  });
  return {
    answerAll,
    target,
    publishers: (plan: LoadPlan, dialect: Partial<Dialect> = {}) =>
      new Publishers({ plan, target: target(dialect), token: null }),
    asked: async (count: number): Promise<void> => {
      while (asked < count) {
        await changed.promise;
        changed = Promise.withResolvers();
      }
    },
    whenTrue: async (is: () => boolean): Promise<void> => {
      while (!is()) await new Promise((resolve) => setImmediate(resolve));
    },
    cut: (): void => server.closeAllConnections(),
    [Symbol.asyncDispose]: async (): Promise<void> => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
