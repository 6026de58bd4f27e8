import assert from "node:assert/strict";
import { test } from "node:test";
import type { VirtualClock } from "#base/virtual-clock.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { deskWith, settled, TestClient, trader } from "../../test/helpers/session-client.ts";
import { CONNECT_TIMEOUT_MS, EXPIRY_GRACE_MS } from "./websocket-liveness.ts";

test("session: the first command must be connect", () => {
  const { desk } = deskWith();
  for (const command of [{ subscribe: { channel: "/public/a" } }, { rpc: {} }, {}, { send: {} }]) {
    const client = new TestClient(desk);
    client.send(command);
    assert.equal(client.closed, CloseReason.bad_request);
  }
});

test("session: a second connect breaks the protocol", async () => {
  const { desk } = deskWith();
  const client = await new TestClient(desk).signIn();
  client.send({ connect: {} });
  assert.equal(client.closed, CloseReason.bad_request);
});

test("session: commands behind connect wait for it and are answered in order", async () => {
  const { desk } = deskWith();
  const token = desk.authenticator.user("ann", { subscribe: ["/quotes/*"] });
  const release = desk.authenticator.hold();
  const client = new TestClient(desk);
  client.send(
    { connect: { token } },
    { subscribe: { channel: "/quotes/A" } },
    { history: { channel: "/quotes/A" } },
  );
  client.send({ unsubscribe: { channel: "/quotes/A" } });
  await settled();
  assert.deepEqual(client.said(), []);
  release();
  await settled();
  assert.deepEqual(
    client.said().map((reply) => Object.keys(reply)[1]),
    ["connect", "subscribe", "history", "unsubscribe"],
  );
});

test("session: what waits behind connect is bounded", async () => {
  const { desk } = deskWith({ limits: { requestBytes: 1000 } });
  desk.authenticator.hold();
  const client = new TestClient(desk);
  client.send({ connect: { token: "any" } });
  for (let sent = 0; client.closed === null && sent < 100_000; sent += 900) {
    client.send({ publish: { channel: "/a", data: "x".repeat(850) } });
  }
  assert.equal(client.closed, CloseReason.too_many_requests);
});

test("attack: a message of small commands with large replies is answered as the client takes them, in order", async () => {
  const { client, desk } = await trader({ limits: { queueBytes: 400_000 } });
  for (let n = 0; n < 20; n++) desk.hub.publish({ topics: ["/quotes/A"], data: `"${"x".repeat(4000)}"` });
  const ask = (id: number) => ({ id, history: { channel: "/quotes/A", limit: -1 } });
  const ids = Array.from({ length: 40 }, (_, index) => 100 + index);
  client.counts = true;
  client.send(...ids.map(ask));
  const answered = client.said().map(({ id }) => id);
  assert.ok(answered.length < 4, `${answered.length} replies at once`);
  while (answered.length < ids.length) {
    const before = answered.length;
    client.queuedBytes = 0;
    client.session.goOn();
    answered.push(...client.said().map(({ id }) => id));
    assert.ok(answered.length > before && answered.length - before < 4);
  }
  assert.deepEqual(answered, ids);
  assert.equal(client.closed, null);
});

test("session: a burst of commands within the limits, in many messages of one turn, is performed and not too much", async () => {
  const { client } = await trader();
  const pad = "x".repeat(1000);
  for (let index = 0; index < 400; index++) client.send({ publish: { channel: "/news/1", data: pad } });
  assert.equal(client.closed, null);
  for (let turns = 0; turns < 7; turns++) client.session.goOn();
  assert.equal(client.said().filter(({ publish }) => publish !== undefined).length, 400);
});

test("session: a client's commands leave others their turn, and pongs do not wait behind them", async () => {
  const { client, clock } = await trader();
  client.send(
    ...Array.from({ length: 200 }, (_, index) => ({
      id: 100 + index,
      unsubscribe: { channel: "/quotes/A" },
    })),
  );
  assert.equal(client.said().length, 64 - 1, "connect was the first one of this turn");
  assert.ok(client.replaysAsked > 0, "it is to be gone on with");
  clock.advance(26_000);
  client.session.onTime();
  client.send({});
  clock.advance(26_000);
  client.session.onTime();
  assert.equal(client.closed, null, "its pong was heard");
  for (let turns = 0; turns < 3; turns++) client.session.goOn();
  assert.equal(client.said().filter(({ unsubscribe }) => unsubscribe !== undefined).length, 200 - 63);
});

test("session: what is not offered is declined, and send asks for nothing", async () => {
  const { client, desk } = await trader();
  assert.equal((await client.ask({ rpc: { method: "x" } })).error.code, 108);
  assert.equal((await client.ask({ ping: {} })).error.code, 108);
  assert.equal((await client.ask({ subscribe: { channel: "/quotes/A", type: 1 } })).error.code, 108);
  client.send({ send: { data: 1 } });
  assert.deepEqual(client.said(), []);
  assert.equal(client.closed, null);
  assert.equal(desk.counters.errors.of("not_available"), 3);
});

test("session: a broken command ends the connection after what stands before it", async () => {
  const { client } = await trader();
  client.session.receive('{"id":5,"presence_stats":{"channel":"/quotes/A"}}\n{"id":6,"unsubscribe":');
  assert.equal(client.said().length, 1);
  assert.equal(client.closed, CloseReason.bad_request);
  assert.equal(client.detail, "not JSON");
});

/** Lets time pass as the wheel does, answering pings. */
function pass(clock: VirtualClock, client: TestClient, untilMs: number): number {
  let pings = 0;
  while (client.closed === null && clock.monotonicMs() + client.session.nextInMs <= untilMs) {
    clock.advance(client.session.nextInMs);
    client.session.onTime();
    for (const said of client.said()) {
      assert.deepEqual(said, {});
      pings++;
      client.send({});
    }
  }
  return pings;
}

test("session: pings go out and pongs keep the connection, for days", async () => {
  const { desk, clock } = deskWith();
  const client = await new TestClient(desk).signIn();
  const pings = pass(clock, client, 3 * 86_400_000);
  assert.equal(client.closed, null);
  assert.ok(Math.abs(pings - (3 * 86_400) / 25) <= 1, `${pings}`);
});

test("session: who does not answer a ping is gone", async () => {
  const { desk, clock } = deskWith();
  const client = await new TestClient(desk).signIn();
  while (client.closed === null) {
    clock.advance(client.session.nextInMs);
    client.session.onTime();
  }
  assert.equal(client.closed, CloseReason.no_pong);
  assert.ok(clock.monotonicMs() <= 35_000);
});

test("session: a pong without a ping breaks the protocol", async () => {
  const { desk } = deskWith();
  const client = await new TestClient(desk).signIn();
  client.send({});
  assert.equal(client.closed, CloseReason.bad_request);
});

test("session: who does not connect in time is stale, and so is who failed to", async () => {
  for (const attempt of [null, { connect: { data: { login: "ann", password: "guess" } } }]) {
    const { desk, clock } = deskWith();
    const client = new TestClient(desk);
    if (attempt !== null) await client.ask(attempt);
    clock.advance(CONNECT_TIMEOUT_MS - 1);
    client.session.onTime();
    assert.equal(client.closed, null);
    clock.advance(1);
    client.session.onTime();
    assert.equal(client.closed, CloseReason.stale);
  }
});

test("session: the connection outlives its token by the grace, no longer", async () => {
  const { client, clock } = await trader();
  pass(clock, client, 10 * 900_000);
  assert.equal(client.closed, CloseReason.token_expired);
  assert.equal(clock.monotonicMs(), 900_000 + EXPIRY_GRACE_MS);
});
