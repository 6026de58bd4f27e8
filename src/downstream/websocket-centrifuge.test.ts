import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Centrifuge,
  type Options,
  type PublicationContext,
  type SubscribedContext,
  type Subscription,
} from "centrifuge";
import { SystemClock } from "#base/system-clock.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { type TestDesk, type TestDeskOptions, testDesk } from "../../test/helpers/downstream-desk.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { WebSocketListener } from "../../test/helpers/websocket-listener.ts";
import { WebSocketConnection } from "./websocket-connection.ts";

// The protocol's own SDK, unmodified, over the platform's WebSocket.

class Stage implements AsyncDisposable {
  readonly desk: TestDesk;
  readonly #listener: WebSocketListener;
  readonly #clients: Centrifuge[] = [];

  constructor(desk: TestDesk, listener: WebSocketListener) {
    this.desk = desk;
    this.#listener = listener;
  }

  static async open(options: Partial<TestDeskOptions> = {}): Promise<Stage> {
    const desk = testDesk({ clock: new SystemClock(), ...options });
    return new Stage(desk, await WebSocketListener.open(desk));
  }

  client(options: Partial<Options> = {}): Centrifuge {
    const client = new Centrifuge(this.#listener.url, {
      minReconnectDelay: 1,
      maxReconnectDelay: 5,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  async connected(options: Partial<Options> = {}): Promise<Centrifuge> {
    const client = this.client(options);
    client.connect();
    await client.ready(5000);
    return client;
  }

  /** Cuts every client's connection as a network would. */
  cut(): void {
    for (const socket of this.#listener.sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await this.#listener[Symbol.asyncDispose]();
    this.desk.wheel[Symbol.dispose]();
  }
}

/** The next event of a client or subscription. */
// biome-ignore lint/suspicious/noExplicitAny: contexts are checked field by field
function next(emitter: Centrifuge | Subscription, event: string): Promise<any> {
  return new Promise((resolve) => (emitter as Centrifuge).once(event as "error", resolve));
}

/** Collects publications; `reached(n)` resolves with the first n. */
function collect(subscription: Subscription) {
  const got: PublicationContext[] = [];
  let wake = () => {};
  subscription.on("publication", (context) => {
    got.push(context);
    wake();
  });
  return {
    got,
    async reached(count: number): Promise<PublicationContext[]> {
      while (got.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return got;
    },
  };
}

test("sdk: connects as nobody, subscribes, and gets JSON, text and types", async () => {
  await using stage = await Stage.open();
  const client = await stage.connected();
  const subscription = client.newSubscription("/public/a");
  const publications = collect(subscription);
  subscription.subscribe();
  await subscription.ready(5000);
  stage.desk.hub.publish({ topics: ["/public/a"], data: '{\n "price": 1.5\n}', type: "trade" });
  stage.desk.hub.publish({ topics: ["/public/a"], data: "héllo" });
  const [first, second] = await publications.reached(2);
  assert.deepEqual(first?.data, { price: 1.5 });
  assert.deepEqual(first?.tags, { type: "trade" });
  assert.equal(first?.offset, 1);
  assert.equal(second?.data, "héllo");
});

test("sdk: signs in by token, publishes, and asks for history, presence and their counts", async () => {
  await using stage = await Stage.open();
  const token = stage.desk.authenticator.user("ann", { subscribe: ["/news/*"], publish: ["/news/*"] });
  const client = await stage.connected({ token });
  const subscription = client.newSubscription("/news/a");
  const publications = collect(subscription);
  subscription.subscribe();
  await subscription.ready(5000);
  await client.publish("/news/a", { headline: "x" });
  await publications.reached(1);
  const history = await subscription.history({ limit: 10 });
  assert.deepEqual(
    history.publications.map((publication) => publication.data),
    [{ headline: "x" }],
  );
  assert.deepEqual({ epoch: history.epoch, offset: history.offset }, { epoch: "life1", offset: 1 });
  const presence = await subscription.presence();
  assert.deepEqual(
    Object.values(presence.clients).map((info) => info.user),
    ["ann"],
  );
  assert.deepEqual(await subscription.presenceStats(), { numClients: 1, numUsers: 1 });
  await assert.rejects(client.publish("/quotes/A", 1), { code: 103 });
  await assert.rejects(client.rpc("anything", {}), { code: 108 });
  await client.send({ ignored: true });
  assert.deepEqual((await client.history("/news/a", { limit: 0 })).publications, []);
});

test("sdk: signs in by login and password, and is given what the HTTP login gives", async () => {
  await using stage = await Stage.open();
  stage.desk.authenticator.user("ann", { password: "secret" });
  const client = stage.client({ data: { login: "ann", password: "secret" } });
  const connected = next(client, "connected");
  client.connect();
  const { data } = await connected;
  assert.equal(data.token_type, "Bearer");
  const second = await stage.connected({ token: data.access_token });
  assert.equal(second.state, "connected");
});

test("sdk: a wrong password and a bad token end it for good", async () => {
  await using stage = await Stage.open();
  for (const [options, code] of [
    [{ data: { login: "ann", password: "guess" } }, 103],
    [{ token: "forged" }, 3500],
  ] as const) {
    const client = stage.client(options);
    const disconnected = next(client, "disconnected");
    client.connect();
    assert.equal((await disconnected).code, code);
  }
});

test("sdk: a token that expired is replaced by itself", async () => {
  await using stage = await Stage.open();
  const expired = stage.desk.authenticator.user("ann", { ttlMs: 0 });
  stage.desk.authenticator.user("ann", {});
  const client = await stage.connected({
    token: expired,
    getToken: async () => stage.desk.authenticator.token("ann"),
  });
  assert.equal(client.state, "connected");
  assert.equal(stage.desk.authenticator.failures.of("token:token_expired"), 1);
});

test("sdk: refreshes its token in time, on the same connection", async () => {
  await using stage = await Stage.open();
  const token = stage.desk.authenticator.user("ann", { ttlMs: 1100 });
  const client = await stage.connected({
    token,
    getToken: async () => stage.desk.authenticator.user("ann", { ttlMs: 900_000 }),
  });
  const [connection] = stage.desk.registry;
  const before = connection?.identity.expiresAtMs ?? 0;
  await until("the refresh", () => (connection?.identity.expiresAtMs ?? 0) > before + 800_000);
  assert.equal(connection?.closed, null);
  assert.equal(client.state, "connected");
});

test("sdk: answers pings and stays", async () => {
  await using stage = await Stage.open({ heartbeat: { intervalMs: 60, timeoutMs: 50 } });
  const client = await stage.connected();
  const subscription = client.newSubscription("/public/a");
  const publications = collect(subscription);
  subscription.subscribe();
  await subscription.ready(5000);
  const { promise: later, resolve } = Promise.withResolvers<void>();
  const timer = stage.desk.clock.after(400, resolve);
  const alive = setInterval(() => {}, 1000);
  await later;
  clearInterval(alive);
  timer.cancel();
  stage.desk.hub.publish({ topics: ["/public/a"], data: "1" });
  await publications.reached(1);
  assert.equal(stage.desk.counters.opened.total, 1);
});

test("sdk: cut off again and again, it misses nothing and gets nothing twice", async () => {
  await using stage = await Stage.open();
  const client = await stage.connected();
  const subscription = client.newSubscription("/public/a");
  const publications = collect(subscription);
  subscription.subscribe();
  await subscription.ready(5000);
  const total = 2000;
  const perCut = 400;
  for (let published = 0; published < total; published += perCut) {
    for (let index = 0; index < perCut / 2; index++)
      stage.desk.hub.publish({ topics: ["/public/a"], data: "1" });
    const resubscribed: Promise<SubscribedContext> = next(subscription, "subscribed");
    stage.cut();
    for (let index = 0; index < perCut / 2; index++)
      stage.desk.hub.publish({ topics: ["/public/a"], data: "2" });
    assert.equal((await resubscribed).recovered, true);
  }
  const got = await publications.reached(total);
  assert.deepEqual(
    got.map((publication) => publication.offset),
    Array.from({ length: total }, (_, index) => index + 1),
  );
});

test("sdk: resumes from a position that came by another way", async () => {
  await using stage = await Stage.open();
  for (let index = 0; index < 1000; index++)
    stage.desk.hub.publish({ topics: ["/public/a"], data: String(index) });
  const client = await stage.connected();
  const subscription = client.newSubscription("/public/a", { since: { epoch: "life1", offset: 400 } });
  const publications = collect(subscription);
  const subscribed: Promise<SubscribedContext> = next(subscription, "subscribed");
  subscription.subscribe();
  assert.equal((await subscribed).recovered, true);
  const got = await publications.reached(600);
  assert.equal(got[0]?.offset, 401);
  assert.equal(got[599]?.offset, 1000);
});

test("sdk: with another life of the log it learns that it did not recover, and gets the state", async () => {
  await using stage = await Stage.open();
  stage.desk.hub.publish({ topics: ["/public/a"], data: '{"a":1}', state: "merge" });
  const client = await stage.connected();
  const subscription = client.newSubscription("/public/a", { since: { epoch: "life0", offset: 1 } });
  const publications = collect(subscription);
  const subscribed: Promise<SubscribedContext> = next(subscription, "subscribed");
  subscription.subscribe();
  const { recovered, wasRecovering } = await subscribed;
  assert.deepEqual({ recovered, wasRecovering }, { recovered: false, wasRecovering: true });
  assert.deepEqual((await publications.reached(1))[0]?.data, { a: 1 });
});

test("sdk: told of a lost topic it subscribes again by itself", async () => {
  await using stage = await Stage.open();
  const client = await stage.connected();
  const subscription = client.newSubscription("/public/a");
  subscription.subscribe();
  await subscription.ready(5000);
  const again = next(subscription, "subscribed");
  const subscribing = next(subscription, "subscribing");
  for (const connection of stage.desk.registry) {
    if (connection instanceof WebSocketConnection) connection.loseTopic("/public/a");
  }
  assert.equal((await subscribing).code, 2500);
  await again;
});

test("sdk: sent away with a reconnecting code it comes back, with a terminal one it does not", async () => {
  await using stage = await Stage.open();
  const client = await stage.connected();
  const connecting = next(client, "connecting");
  const back = next(client, "connected");
  stage.desk.registry.closeWhere(() => true, CloseReason.forced_reconnect);
  assert.equal((await connecting).code, 3011);
  await back;
  const disconnected = next(client, "disconnected");
  stage.desk.registry.closeWhere(() => true, CloseReason.forced_disconnect);
  assert.equal((await disconnected).code, 3503);
});

test("sdk: unsubscribed and subscribed again at once, it is subscribed", async () => {
  await using stage = await Stage.open();
  const client = await stage.connected();
  const subscription = client.newSubscription("/public/a");
  for (let round = 0; round < 5; round++) {
    subscription.subscribe();
    await subscription.ready(5000);
    subscription.unsubscribe();
  }
  subscription.subscribe();
  await subscription.ready(5000);
  const publications = collect(subscription);
  stage.desk.hub.publish({ topics: ["/public/a"], data: "1" });
  await publications.reached(1);
  assert.equal(stage.desk.hub.stats().subscribers, 1);
});

test("sdk: an error of a subscription leaves the others alone", async () => {
  await using stage = await Stage.open();
  const client = await stage.connected();
  const refused = client.newSubscription("/secret");
  const unsubscribed = next(refused, "unsubscribed");
  const allowed = client.newSubscription("/public/a");
  refused.subscribe();
  allowed.subscribe();
  assert.equal((await unsubscribed).code, 103);
  await allowed.ready(5000);
});

test("sdk: five hundred subscriptions come in one frame after a cut", async () => {
  await using stage = await Stage.open({ limits: { subscribersPerConnection: 500 } });
  const client = await stage.connected();
  const subscriptions = Array.from({ length: 500 }, (_, index) => client.newSubscription(`/public/${index}`));
  for (const subscription of subscriptions) subscription.subscribe();
  await Promise.all(subscriptions.map((subscription) => subscription.ready(5000)));
  const again = Promise.all(subscriptions.map((subscription) => next(subscription, "subscribed")));
  stage.cut();
  await again;
  assert.equal(stage.desk.hub.stats().subscribers, 500);
});
