import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Identity } from "#auth/identity.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { payloadOf } from "#protocol/websocket-frame.ts";
import { type TestDesk, type TestDeskOptions, testDesk } from "../../test/helpers/downstream-desk.ts";
import type { SessionClient } from "./websocket-channel.ts";
import { REPLY_PUBLICATIONS_MAX } from "./websocket-channels.ts";
import { CONNECT_TIMEOUT_MS, EXPIRY_GRACE_MS } from "./websocket-liveness.ts";
import { PRESENCE_CLIENTS_MAX } from "./websocket-queries.ts";
import { Session } from "./websocket-session.ts";

// biome-ignore lint/suspicious/noExplicitAny: replies are checked field by field
type Reply = any;

/** A session whose connection is a list of what was said. */
class Client implements SessionClient {
  readonly id: string;
  readonly address = "192.0.2.1";
  identity: Identity;
  closed: CloseReason | null = null;
  detail: string | undefined;
  replaysAsked = 0;
  readonly session: Session;
  #said: Reply[] = [];
  #id = 0;

  constructor(desk: TestDesk, id = "c1") {
    this.id = id;
    this.identity = desk.authenticator.anonymous;
    this.session = new Session(desk, this);
  }

  enqueue(frame: Buffer): void {
    assert.equal(this.closed, null, "nothing is said after the end");
    this.#said.push(JSON.parse(payloadOf(frame).toString()));
  }
  deliverFrame(frame: Buffer): void {
    this.enqueue(frame);
  }
  identify(identity: Identity): void {
    assert.equal(this.closed, null, "nobody signs in after the end");
    this.identity = identity;
  }
  rearm(): void {}
  requestReplay(): void {
    this.replaysAsked++;
  }
  close(reason: CloseReason, detail?: string): void {
    if (this.closed !== null) return;
    this.closed = reason;
    this.detail = detail;
    this.session.end();
  }

  /** Sends commands in one message; those without an id get the next one. */
  send(...commands: object[]): void {
    this.session.receive(commands.map((command) => JSON.stringify(this.numbered(command))).join("\n"));
  }
  numbered(command: object): object {
    return Object.keys(command).length === 0 || "id" in command ? command : { id: ++this.#id, ...command };
  }
  /** What was said since the last look. */
  said(): Reply[] {
    const said = this.#said;
    this.#said = [];
    return said;
  }
  /** Sends one command and answers its one reply, with checks of credentials done. */
  async ask(command: object): Promise<Reply> {
    this.send(command);
    await settled();
    const said = this.said();
    assert.equal(said.length, 1, `one reply, not ${JSON.stringify(said)}`);
    return said[0];
  }
  async signIn(token?: string): Promise<this> {
    const reply = await this.ask({ connect: token === undefined ? {} : { token } });
    assert.ok(reply.connect, JSON.stringify(reply));
    return this;
  }
}

/** Promises that wait for nothing but each other are done. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function deskWith(options: Partial<TestDeskOptions> = {}) {
  const clock = new VirtualClock();
  return { clock, desk: testDesk({ clock, ...options }) };
}

const offsets = (publications: Reply[]): number[] => publications.map((publication) => publication.offset);
const pushed = (said: Reply[]): number[] => said.map((push) => push.push.pub.offset);
const fill = (desk: TestDesk, topic: string, count: number, data = "{}") => {
  for (let index = 0; index < count; index++) desk.hub.publish({ topics: [topic], data });
};

describe("connect", () => {
  test("session: an access token signs in, and its time is told", async () => {
    const { desk } = deskWith();
    const token = desk.authenticator.user("ann", { ttlMs: 60_000 });
    const client = new Client(desk);
    assert.deepEqual(await client.ask({ connect: { token } }), {
      id: 1,
      connect: { client: "c1", ping: 25, pong: true, expires: true, ttl: 60 },
    });
    assert.equal(client.identity.user, "ann");
  });

  test("session: without credentials the client is nobody, and nothing expires", async () => {
    const { desk } = deskWith();
    const client = new Client(desk);
    assert.deepEqual((await client.ask({ connect: {} })).connect, { client: "c1", ping: 25, pong: true });
    assert.equal(client.identity.kind, "anonymous");
  });

  test("session: login and password sign in, with the fields of the HTTP login as data", async () => {
    const { desk } = deskWith();
    desk.authenticator.user("ann", { password: "secret" });
    const client = new Client(desk);
    const { connect } = await client.ask({ connect: { data: { login: "ann", password: "secret" } } });
    assert.equal(connect.expires, undefined);
    assert.deepEqual(Object.keys(connect.data), [
      "access_token",
      "token_type",
      "expires_in",
      "refresh_token",
      "role",
    ]);
    assert.equal(connect.data.token_type, "Bearer");
    assert.equal(connect.data.expires_in, 900);
    assert.equal(client.identity.kind, "user");
  });

  test("session: a wrong password is permission denied, counts as a failure, and leaves one chance only", async () => {
    const { desk } = deskWith();
    desk.authenticator.user("ann", { password: "secret" });
    const client = new Client(desk);
    const reply = await client.ask({ connect: { data: { login: "ann", password: "guess" } } });
    assert.deepEqual(reply, { id: 1, error: { code: 103, message: "permission denied" } });
    assert.equal(desk.authenticator.failures.of("password:wrong_credentials"), 1);
    client.send({ connect: { data: { login: "ann", password: "secret" } } });
    assert.equal(client.closed, CloseReason.bad_request);
  });

  test("session: a bad token ends the connection and is never taken for nobody's", async () => {
    const { desk } = deskWith();
    const client = new Client(desk);
    client.send({ connect: { token: "forged" } });
    await settled();
    assert.equal(client.closed, CloseReason.invalid_token);
    assert.deepEqual(client.said(), []);
  });

  test("session: an expired token is error 109, upon which SDKs get a new one", async () => {
    const { desk, clock } = deskWith();
    const token = desk.authenticator.user("ann", { ttlMs: 1000 });
    clock.advance(1001);
    assert.equal((await new Client(desk).ask({ connect: { token } })).error.code, 109);
  });

  test("session: a fault of the gateway is a temporary error", async () => {
    const { desk } = deskWith();
    const reply = await new Client(desk).ask({ connect: { token: "fault" } });
    assert.deepEqual(reply.error, { code: 100, message: "internal server error", temporary: true });
  });

  test("session: a login that is no text is a bad request", async () => {
    const { desk } = deskWith();
    assert.equal(
      (await new Client(desk).ask({ connect: { data: { login: "ann", password: 1 } } })).error.code,
      107,
    );
  });

  test("session: other data is the application's and signs nobody in", async () => {
    const { desk } = deskWith();
    const client = new Client(desk);
    assert.ok((await client.ask({ connect: { data: ["anything"] } })).connect);
    assert.equal(client.identity.kind, "anonymous");
  });

  test("session: a draining gateway sends who comes now elsewhere", async () => {
    const { desk } = deskWith({ isDraining: () => true });
    const client = new Client(desk);
    client.send({ connect: {} });
    await settled();
    assert.equal(client.closed, CloseReason.shutdown);
  });

  test("session: the first command must be connect", () => {
    const { desk } = deskWith();
    for (const command of [{ subscribe: { channel: "/public/a" } }, { rpc: {} }, {}, { send: {} }]) {
      const client = new Client(desk);
      client.send(command);
      assert.equal(client.closed, CloseReason.bad_request);
    }
  });

  test("session: a second connect breaks the protocol", async () => {
    const { desk } = deskWith();
    const client = await new Client(desk).signIn();
    client.send({ connect: {} });
    assert.equal(client.closed, CloseReason.bad_request);
  });

  test("session: commands behind connect wait for it and are answered in order", async () => {
    const { desk } = deskWith();
    const token = desk.authenticator.user("ann", { subscribe: ["/quotes/*"] });
    const release = desk.authenticator.hold();
    const client = new Client(desk);
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
    const client = new Client(desk);
    client.send({ connect: { token: "any" } });
    for (let sent = 0; client.closed === null && sent < 100_000; sent += 900) {
      client.send({ publish: { channel: "/a", data: "x".repeat(850) } });
    }
    assert.equal(client.closed, CloseReason.too_many_requests);
  });

  test("session: who leaves while the password is checked leaves no session behind", async () => {
    const { desk } = deskWith();
    desk.authenticator.user("ann", { password: "secret" });
    const release = desk.authenticator.hold();
    const client = new Client(desk);
    client.send(
      { connect: { data: { login: "ann", password: "secret" } } },
      { subscribe: { channel: "/public/a" } },
    );
    client.close(CloseReason.client_closed);
    release();
    await settled();
    assert.equal(desk.authenticator.sessions.size, 0);
    assert.equal(desk.hub.stats().subscribers, 0);
    assert.deepEqual(client.said(), []);
  });
});

describe("subscribe", () => {
  async function trader(options: Partial<TestDeskOptions> = {}) {
    const { desk, clock } = deskWith(options);
    const token = desk.authenticator.user("ann", { subscribe: ["/quotes/*"], publish: ["/news/*"] });
    return { desk, clock, token, client: await new Client(desk).signIn(token) };
  }

  test("session: a subscriber gets what is published from then on, with the log's numbers", async () => {
    const { desk, client } = await trader();
    fill(desk, "/quotes/A", 3);
    const { subscribe } = await client.ask({ subscribe: { channel: "/quotes/A" } });
    assert.deepEqual(subscribe, {
      recoverable: true,
      positioned: true,
      epoch: "life1",
      offset: 3,
      recovered: false,
      was_recovering: false,
    });
    fill(desk, "/quotes/B", 1);
    fill(desk, "/quotes/A", 1, '{"p":1}');
    const [push] = client.said();
    assert.deepEqual(push.push.channel, "/quotes/A");
    assert.deepEqual(push.push.pub.data, { p: 1 });
    assert.equal(push.push.pub.offset, 5);
  });

  for (const [what, channel, code] of [
    ["every topic", "*", 102],
    ["a wildcard", "/quotes/*", 102],
    ["a named group", "/quotes/:symbol", 102],
    ["a template", "/quotes/{symbol}", 102],
    ["a control character", "/quotes/\u0007", 107],
    ["an invisible character", "/quotes/\u200b", 107],
    ["more than 1024 characters", "/".repeat(1025), 107],
    ["a topic without a grant", "/secret", 103],
  ] as const) {
    test(`session: a channel that is ${what} is error ${code}`, async () => {
      const { client, desk } = await trader();
      assert.equal((await client.ask({ subscribe: { channel } })).error.code, code);
      assert.equal(client.closed, null);
      assert.equal(desk.hub.stats().topics, 0);
    });
  }

  test("session: parentheses and colons inside names are no patterns", async () => {
    const { client } = await trader();
    for (const channel of ["/quotes/BRK(B)", "/quotes/FX:EURUSD"]) {
      assert.ok((await client.ask({ subscribe: { channel } })).subscribe);
    }
  });

  test("session: a channel can't be had twice, but again after it was left", async () => {
    const { client, desk } = await trader();
    await client.ask({ subscribe: { channel: "/quotes/A" } });
    assert.equal((await client.ask({ subscribe: { channel: "/quotes/A" } })).error.code, 105);
    assert.deepEqual((await client.ask({ unsubscribe: { channel: "/quotes/A" } })).unsubscribe, {});
    assert.equal(desk.hub.stats().subscribers, 0);
    assert.ok((await client.ask({ subscribe: { channel: "/quotes/A" } })).subscribe);
    fill(desk, "/quotes/A", 1);
    assert.equal(client.said().length, 1);
  });

  test("session: to leave what one never had is no error", async () => {
    const { client } = await trader();
    assert.deepEqual((await client.ask({ unsubscribe: { channel: "/quotes/A" } })).unsubscribe, {});
  });

  test("session: limits.subscribersPerConnection is error 106", async () => {
    const { client } = await trader({ limits: { subscribersPerConnection: 2 } });
    for (const name of ["A", "B"])
      assert.ok((await client.ask({ subscribe: { channel: `/quotes/${name}` } })).subscribe);
    assert.equal((await client.ask({ subscribe: { channel: "/quotes/C" } })).error.code, 106);
  });

  test("session: nobody may have what everybody may, and no more", async () => {
    const { desk } = deskWith();
    const client = await new Client(desk).signIn();
    assert.ok((await client.ask({ subscribe: { channel: "/public/a" } })).subscribe);
    assert.ok((await client.ask({ subscribe: { channel: "/feed/a" } })).subscribe);
    assert.equal((await client.ask({ subscribe: { channel: "/quotes/A" } })).error.code, 103);
  });

  test("session: private events of an open topic pass nobody by, live or replayed", async () => {
    const { desk } = deskWith();
    const client = await new Client(desk).signIn();
    desk.hub.publish({ topics: ["/public/a"], data: "1", private: true });
    desk.hub.publish({ topics: ["/public/a"], data: "2" });
    const { subscribe } = await client.ask({
      subscribe: { channel: "/public/a", recover: true, epoch: "life1", offset: 0 },
    });
    assert.deepEqual(offsets(subscribe.publications), [2]);
    desk.hub.publish({ topics: ["/public/a"], data: "3", private: true });
    desk.hub.publish({ topics: ["/public/a"], data: "4" });
    assert.deepEqual(pushed(client.said()), [4]);
  });

  test("session: a topic's state comes first to who did not recover", async () => {
    const { desk, client } = await trader();
    desk.hub.publish({ topics: ["/quotes/A"], data: '{"bid":1,"ask":2}', state: "merge" });
    desk.hub.publish({ topics: ["/quotes/A"], data: '{"ask":3}', state: "merge" });
    fill(desk, "/quotes/B", 1);
    const { subscribe } = await client.ask({ subscribe: { channel: "/quotes/A" } });
    assert.equal(subscribe.recovered, false);
    assert.equal(subscribe.offset, 3);
    assert.deepEqual(
      subscribe.publications.map((publication: Reply) => publication.data),
      [{ bid: 1, ask: 3 }],
    );
  });

  test("session: a resume gives exactly what was missed, then what comes", async () => {
    const { desk, client } = await trader();
    fill(desk, "/quotes/A", 2);
    fill(desk, "/quotes/B", 1);
    fill(desk, "/quotes/A", 2);
    const { subscribe } = await client.ask({
      subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 1 },
    });
    assert.equal(subscribe.recovered, true);
    assert.equal(subscribe.was_recovering, true);
    assert.equal(subscribe.offset, 1);
    assert.deepEqual(offsets(subscribe.publications), [2, 4, 5]);
    fill(desk, "/quotes/A", 1);
    assert.deepEqual(pushed(client.said()), [6]);
    assert.equal(desk.counters.resumes.of("websocket:recovered"), 1);
  });

  test("session: a resume that missed nothing stands at the head", async () => {
    const { desk, client } = await trader();
    fill(desk, "/quotes/A", 2);
    fill(desk, "/quotes/B", 5);
    const { subscribe } = await client.ask({
      subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 2 },
    });
    assert.equal(subscribe.recovered, true);
    assert.equal(subscribe.offset, 7);
    assert.equal(subscribe.publications, undefined);
  });

  for (const [what, position] of [
    ["of another life of the log", { epoch: "life0", offset: 1 }],
    ["without an epoch", { offset: 1 }],
    ["beyond the head", { epoch: "life1", offset: 99 }],
  ] as const) {
    test(`session: a position ${what} can't be resumed, and that is told`, async () => {
      const { desk, client } = await trader();
      desk.hub.publish({ topics: ["/quotes/A"], data: '{"p":1}', state: "last" });
      const { subscribe } = await client.ask({
        subscribe: { channel: "/quotes/A", recover: true, ...position },
      });
      assert.equal(subscribe.recovered, false);
      assert.equal(subscribe.was_recovering, true);
      assert.equal(subscribe.epoch, "life1");
      assert.equal(subscribe.offset, 1);
      assert.deepEqual(offsets(subscribe.publications), [1]);
      assert.equal(desk.counters.resumes.of("websocket:unrecovered"), 1);
    });
  }

  test("session: what the log let go of can't be resumed", async () => {
    const { desk, client } = await trader({ logBytesMax: 20_000 });
    fill(desk, "/quotes/A", 100);
    const { subscribe } = await client.ask({
      subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 1 },
    });
    assert.equal(subscribe.recovered, false);
    assert.equal(subscribe.publications, undefined);
  });

  test("session: who would rather have an error than a gap gets error 112 and no subscription", async () => {
    const { desk, client } = await trader();
    const command = {
      subscribe: { channel: "/quotes/A", recover: true, epoch: "life0", offset: 1, flag: 2 },
    };
    assert.equal((await client.ask(command)).error.code, 112);
    assert.equal(desk.hub.stats().subscribers, 0);
  });

  test("session: a long resume goes on in pushes, with live events behind it, none missing and none twice", async () => {
    const { desk, client } = await trader();
    const missed = 2500;
    fill(desk, "/quotes/A", missed);
    const { subscribe } = await client.ask({
      subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 0 },
    });
    assert.equal(subscribe.publications.length, REPLY_PUBLICATIONS_MAX);
    assert.equal(subscribe.offset, 0);
    assert.equal(client.replaysAsked, 1);
    const got = offsets(subscribe.publications);
    for (let asked = 0; asked < client.replaysAsked; asked++) {
      fill(desk, "/quotes/A", 1);
      client.session.replay();
      got.push(...pushed(client.said()));
    }
    fill(desk, "/quotes/A", 3);
    got.push(...pushed(client.said()));
    assert.deepEqual(
      got,
      Array.from({ length: desk.hub.head }, (_, index) => index + 1),
    );
  });

  test("session: a reply's publications are bounded in bytes", async () => {
    const { desk, client } = await trader();
    fill(desk, "/quotes/A", 20, JSON.stringify("x".repeat(10_000)));
    const { subscribe } = await client.ask({
      subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 0 },
    });
    assert.equal(subscribe.publications.length, 7);
    client.session.replay();
    assert.equal(client.said().length, 7);
    client.session.replay();
    assert.equal(client.said().length, 6);
  });

  test("session: several long resumes take turns", async () => {
    const { desk, client } = await trader();
    for (const name of ["A", "B"]) fill(desk, `/quotes/${name}`, 3000);
    for (const name of ["A", "B"]) {
      await client.ask({
        subscribe: { channel: `/quotes/${name}`, recover: true, epoch: "life1", offset: 0 },
      });
    }
    const turns = Array.from({ length: 4 }, () => {
      client.session.replay();
      return [...new Set(client.said().map((push) => push.push.channel))];
    });
    assert.deepEqual(turns, [["/quotes/A"], ["/quotes/B"], ["/quotes/A"], ["/quotes/B"]]);
  });

  test("session: a resume that the log overtakes ends in code 2500, not in a gap", async () => {
    const { desk, client } = await trader({ logBytesMax: 1_000_000 });
    fill(desk, "/quotes/A", 1000);
    await client.ask({ subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 0 } });
    fill(desk, "/quotes/A", 5000);
    client.session.replay();
    assert.deepEqual(client.said(), [
      { push: { channel: "/quotes/A", unsubscribe: { code: 2500, reason: "insufficient state" } } },
    ]);
    fill(desk, "/quotes/A", 1);
    assert.deepEqual(client.said(), []);
    assert.equal(desk.hub.stats().subscribers, 0);
  });

  test("session: to unsubscribe stops a replay", async () => {
    const { desk, client } = await trader();
    fill(desk, "/quotes/A", 1000);
    await client.ask({ subscribe: { channel: "/quotes/A", recover: true, epoch: "life1", offset: 0 } });
    await client.ask({ unsubscribe: { channel: "/quotes/A" } });
    client.session.replay();
    assert.deepEqual(client.said(), []);
  });

  test("session: a gap that upstream made is told to the topic's subscribers", async () => {
    const { client, desk } = await trader();
    await client.ask({ subscribe: { channel: "/quotes/A" } });
    await client.ask({ subscribe: { channel: "/quotes/B" } });
    client.session.lose("/quotes/A");
    client.session.lose("/quotes/C");
    assert.deepEqual(
      client.said().map((push) => push.push.channel),
      ["/quotes/A"],
    );
    assert.equal(desk.hub.stats().subscribers, 1);
  });

  test("session: the end leaves no subscriber", async () => {
    const { desk, client } = await trader();
    for (const name of ["A", "B", "C"]) client.send({ subscribe: { channel: `/quotes/${name}` } });
    fill(desk, "/quotes/A", 1000);
    client.close(CloseReason.client_closed);
    assert.equal(desk.hub.stats().subscribers, 0);
    assert.equal(client.session.channelCount, 0);
  });

  describe("publish and queries", () => {
    test("session: who may publish does, and JSON passes digit by digit", async () => {
      const { desk, client } = await trader();
      client.session.receive(
        '{"id":7,"publish":{"channel":"/news/a","data":{"n":1.50,"big":12345678901234567890}}}',
      );
      assert.deepEqual(client.said(), [{ id: 7, publish: {} }]);
      assert.equal(
        desk.hub.history("/news/a", { limit: 1, reverse: true })[0]?.data,
        '{"n":1.50,"big":12345678901234567890}',
      );
      assert.equal(desk.counters.published.of("websocket"), 1);
    });

    for (const [what, channel, code] of [
      ["a topic without a grant", "/quotes/A", 103],
      ["a pattern", "/news/*", 102],
      ["a control character", "/news/\u0000", 107],
    ] as const) {
      test(`session: to publish to ${what} is error ${code}`, async () => {
        const { desk, client } = await trader();
        assert.equal((await client.ask({ publish: { channel, data: 1 } })).error.code, code);
        assert.equal(desk.hub.head, 0);
      });
    }

    test("session: the hub's own topics can't be published, however they are written", async () => {
      const { desk } = deskWith();
      const client = await new Client(desk).signIn(desk.authenticator.user("root", { publish: ["*"] }));
      for (const channel of [
        "/.well-known/mercure/x",
        "/.well-known/mercure",
        "/%2Ewell-known/mercure/x",
        "/a/../.well-known/mercure/x",
        "mercure/x",
      ]) {
        assert.equal((await client.ask({ publish: { channel, data: 1 } })).error.code, 103, channel);
      }
    });

    test("session: nobody can't publish", async () => {
      const { desk } = deskWith();
      const client = await new Client(desk).signIn();
      assert.equal((await client.ask({ publish: { channel: "/public/a", data: 1 } })).error.code, 103);
    });

    test("session: a publisher who subscribes gets the event before the reply, as in the reference server", async () => {
      const { desk } = deskWith();
      const token = desk.authenticator.user("ann", { subscribe: ["/a"], publish: ["/a"] });
      const client = await new Client(desk).signIn(token);
      await client.ask({ subscribe: { channel: "/a" } });
      client.send({ publish: { channel: "/a", data: null } });
      const [push, reply] = client.said();
      assert.equal(push.push.pub.data, null);
      assert.deepEqual(reply.publish, {});
    });

    test("session: history gives the position, then as much as is asked for, from either end", async () => {
      const { desk, client } = await trader();
      fill(desk, "/quotes/A", 5);
      const ask = async (fields: object) =>
        (await client.ask({ history: { channel: "/quotes/A", ...fields } })).history;
      assert.deepEqual(await ask({}), { epoch: "life1", offset: 5 });
      assert.deepEqual(offsets((await ask({ limit: 2 })).publications), [1, 2]);
      assert.deepEqual(offsets((await ask({ limit: 2, reverse: true })).publications), [5, 4]);
      assert.deepEqual(offsets((await ask({ limit: -1 })).publications), [1, 2, 3, 4, 5]);
      const since = { epoch: "life1", offset: 3 };
      assert.deepEqual(offsets((await ask({ limit: 10, since })).publications), [4, 5]);
      assert.deepEqual(offsets((await ask({ limit: 10, since, reverse: true })).publications), [2, 1]);
    });

    test("session: history since a place that is no longer held is error 112", async () => {
      const { desk, client } = await trader({ logBytesMax: 20_000 });
      fill(desk, "/quotes/A", 100);
      const ask = async (since: object) =>
        (await client.ask({ history: { channel: "/quotes/A", limit: 5, since } })).error?.code;
      assert.equal(await ask({ epoch: "life1", offset: 1 }), 112);
      assert.equal(await ask({ epoch: "life0", offset: 99 }), 112);
      assert.equal(await ask({ epoch: "life1", offset: 99 }), undefined);
    });

    test("session: history is bounded and needs permission", async () => {
      const { desk, client } = await trader();
      fill(desk, "/quotes/A", REPLY_PUBLICATIONS_MAX + 10);
      const { history } = await client.ask({ history: { channel: "/quotes/A", limit: 1_000_000 } });
      assert.equal(history.publications.length, REPLY_PUBLICATIONS_MAX);
      assert.equal((await client.ask({ history: { channel: "/secret", limit: 1 } })).error.code, 103);
      assert.equal((await client.ask({ history: { channel: "*", limit: 1 } })).error.code, 102);
    });

    test("session: presence names a topic's subscribers and presence_stats counts them", async () => {
      const { desk, client, token } = await trader();
      await client.ask({ subscribe: { channel: "/quotes/A" } });
      const second = await new Client(desk, "c2").signIn(token);
      await second.ask({ subscribe: { channel: "/quotes/A" } });
      assert.deepEqual((await client.ask({ presence: { channel: "/quotes/A" } })).presence.presence, {
        c1: { client: "c1", user: "ann" },
        c2: { client: "c2", user: "ann" },
      });
      assert.deepEqual((await client.ask({ presence_stats: { channel: "/quotes/A" } })).presence_stats, {
        num_clients: 2,
        num_users: 1,
      });
      second.close(CloseReason.client_closed);
      const stats = (await client.ask({ presence_stats: { channel: "/quotes/A" } })).presence_stats;
      assert.equal(stats.num_clients, 1);
    });

    test("session: presence is for whose role has the topic, open topics included", async () => {
      const { desk, client } = await trader();
      const nobody = await new Client(desk, "c2").signIn();
      for (const who of [client, nobody]) {
        assert.equal((await who.ask({ presence: { channel: "/public/a" } })).error.code, 103);
        assert.equal((await who.ask({ presence_stats: { channel: "/feed/a" } })).error.code, 103);
      }
    });

    test("session: presence of more clients than fit an answer is error 106, its count is not", async () => {
      const { desk, client, token } = await trader();
      for (let index = 0; index <= PRESENCE_CLIENTS_MAX; index++) {
        const other = await new Client(desk, `o${index}`).signIn(token);
        other.send({ subscribe: { channel: "/quotes/A" } });
      }
      assert.equal((await client.ask({ presence: { channel: "/quotes/A" } })).error.code, 106);
      const { presence_stats } = await client.ask({ presence_stats: { channel: "/quotes/A" } });
      assert.equal(presence_stats.num_clients, PRESENCE_CLIENTS_MAX + 1);
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
  });

  describe("refresh and time", () => {
    test("session: a newer token of the same user prolongs the connection", async () => {
      const { desk, client, clock } = await trader();
      clock.advance(800_000);
      assert.deepEqual((await client.ask({ refresh: { token: desk.authenticator.token("ann") } })).refresh, {
        client: "c1",
        expires: true,
        ttl: 900,
      });
    });

    test("session: another user's token ends the connection", async () => {
      const { desk, client } = await trader();
      client.send({ refresh: { token: desk.authenticator.user("bob") } });
      await settled();
      assert.equal(client.closed, CloseReason.invalid_token);
      assert.equal(client.identity.user, "ann");
    });

    test("session: nobody can't become somebody by a refresh", async () => {
      const { desk } = deskWith();
      const client = await new Client(desk).signIn();
      client.send({ refresh: { token: desk.authenticator.user("ann") } });
      await settled();
      assert.equal(client.closed, CloseReason.invalid_token);
    });

    test("session: an expired token is error 109 and the connection keeps the old one", async () => {
      const { desk, client, clock } = await trader();
      const old = desk.authenticator.user("ann", { ttlMs: 10 });
      clock.advance(20);
      assert.equal((await client.ask({ refresh: { token: old } })).error.code, 109);
      assert.equal(client.closed, null);
    });

    test("session: a refresh with fewer grants ends the subscriptions that it no longer covers", async () => {
      const { desk, client } = await trader();
      await client.ask({ subscribe: { channel: "/quotes/A" } });
      await client.ask({ subscribe: { channel: "/quotes/B" } });
      client.send({ refresh: { token: desk.authenticator.user("ann", { subscribe: ["/quotes/B"] }) } });
      await settled();
      const [reply, push, ...rest] = client.said();
      assert.ok(reply.refresh);
      assert.deepEqual(push, {
        push: { channel: "/quotes/A", unsubscribe: { code: 2000, reason: "server unsubscribe" } },
      });
      assert.deepEqual(rest, []);
      assert.equal(client.session.channelCount, 1);
    });

    /** Lets time pass as the wheel does, answering pings. */
    function pass(clock: VirtualClock, client: Client, untilMs: number): number {
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
      const client = await new Client(desk).signIn();
      const pings = pass(clock, client, 3 * 86_400_000);
      assert.equal(client.closed, null);
      assert.ok(Math.abs(pings - (3 * 86_400) / 25) <= 1, `${pings}`);
    });

    test("session: who does not answer a ping is gone", async () => {
      const { desk, clock } = deskWith();
      const client = await new Client(desk).signIn();
      while (client.closed === null) {
        clock.advance(client.session.nextInMs);
        client.session.onTime();
      }
      assert.equal(client.closed, CloseReason.no_pong);
      assert.ok(clock.monotonicMs() <= 35_000);
    });

    test("session: a pong without a ping breaks the protocol", async () => {
      const { desk } = deskWith();
      const client = await new Client(desk).signIn();
      client.send({});
      assert.equal(client.closed, CloseReason.bad_request);
    });

    test("session: who does not connect in time is stale, and so is who failed to", async () => {
      for (const attempt of [null, { connect: { data: { login: "ann", password: "guess" } } }]) {
        const { desk, clock } = deskWith();
        const client = new Client(desk);
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
  });
});
