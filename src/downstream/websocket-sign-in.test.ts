import assert from "node:assert/strict";
import { test } from "node:test";
import { CloseReason } from "#protocol/close-reason.ts";
import { deskWith, settled, TestClient, trader } from "../../test/helpers/session-client.ts";

test("sign-in: an access token signs in, and its time is told", async () => {
  const { desk } = deskWith();
  const token = desk.authenticator.user("ann", { ttlMs: 60_000 });
  const client = new TestClient(desk);
  assert.deepEqual(await client.ask({ connect: { token } }), {
    id: 1,
    connect: { client: "c1", ping: 25, pong: true, expires: true, ttl: 60 },
  });
  assert.equal(client.identity.user, "ann");
});

test("sign-in: without credentials the client is nobody, and nothing expires", async () => {
  const { desk } = deskWith();
  const client = new TestClient(desk);
  assert.deepEqual((await client.ask({ connect: {} })).connect, { client: "c1", ping: 25, pong: true });
  assert.equal(client.identity.kind, "anonymous");
});

test("sign-in: login and password sign in, with the fields of the HTTP login as data", async () => {
  const { desk } = deskWith();
  desk.authenticator.user("ann", { password: "secret" });
  const client = new TestClient(desk);
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

test("sign-in: a wrong password is permission denied, counts as a failure, and leaves one chance only", async () => {
  const { desk } = deskWith();
  desk.authenticator.user("ann", { password: "secret" });
  const client = new TestClient(desk);
  const reply = await client.ask({ connect: { data: { login: "ann", password: "guess" } } });
  assert.deepEqual(reply, { id: 1, error: { code: 103, message: "permission denied" } });
  assert.equal(desk.authenticator.failures.of("password:wrong_credentials"), 1);
  client.send({ connect: { data: { login: "ann", password: "secret" } } });
  assert.equal(client.closed, CloseReason.bad_request);
});

test("sign-in: a bad token ends the connection and is never taken for nobody's", async () => {
  const { desk } = deskWith();
  const client = new TestClient(desk);
  client.send({ connect: { token: "forged" } });
  await settled();
  assert.equal(client.closed, CloseReason.invalid_token);
  assert.deepEqual(client.said(), []);
});

test("sign-in: an expired token is error 109, upon which SDKs get a new one", async () => {
  const { desk, clock } = deskWith();
  const token = desk.authenticator.user("ann", { ttlMs: 1000 });
  clock.advance(1001);
  assert.equal((await new TestClient(desk).ask({ connect: { token } })).error.code, 109);
});

test("sign-in: a fault of the gateway is a temporary error", async () => {
  const { desk } = deskWith();
  const reply = await new TestClient(desk).ask({ connect: { token: "fault" } });
  assert.deepEqual(reply.error, { code: 100, message: "internal server error", temporary: true });
});

test("sign-in: a login that is no text is a bad request", async () => {
  const { desk } = deskWith();
  assert.equal(
    (await new TestClient(desk).ask({ connect: { data: { login: "ann", password: 1 } } })).error.code,
    107,
  );
});

test("sign-in: other data is the application's and signs nobody in", async () => {
  const { desk } = deskWith();
  const client = new TestClient(desk);
  assert.ok((await client.ask({ connect: { data: ["anything"] } })).connect);
  assert.equal(client.identity.kind, "anonymous");
});

test("sign-in: a draining gateway sends who comes now elsewhere", async () => {
  const { desk } = deskWith({ isDraining: () => true });
  const client = new TestClient(desk);
  client.send({ connect: {} });
  await settled();
  assert.equal(client.closed, CloseReason.shutdown);
});

test("sign-in: who leaves while the password is checked leaves no session behind", async () => {
  const { desk } = deskWith();
  desk.authenticator.user("ann", { password: "secret" });
  const release = desk.authenticator.hold();
  const client = new TestClient(desk);
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

test("sign-in: a newer token of the same user prolongs the connection", async () => {
  const { desk, client, clock } = await trader();
  clock.advance(800_000);
  assert.deepEqual((await client.ask({ refresh: { token: desk.authenticator.token("ann") } })).refresh, {
    client: "c1",
    expires: true,
    ttl: 900,
  });
});

test("sign-in: another user's token ends the connection", async () => {
  const { desk, client } = await trader();
  client.send({ refresh: { token: desk.authenticator.user("bob") } });
  await settled();
  assert.equal(client.closed, CloseReason.invalid_token);
  assert.equal(client.identity.user, "ann");
});

test("sign-in: nobody can't become somebody by a refresh", async () => {
  const { desk } = deskWith();
  const client = await new TestClient(desk).signIn();
  client.send({ refresh: { token: desk.authenticator.user("ann") } });
  await settled();
  assert.equal(client.closed, CloseReason.invalid_token);
});

test("sign-in: an expired token is error 109 and the connection keeps the old one", async () => {
  const { desk, client, clock } = await trader();
  const old = desk.authenticator.user("ann", { ttlMs: 10 });
  clock.advance(20);
  assert.equal((await client.ask({ refresh: { token: old } })).error.code, 109);
  assert.equal(client.closed, null);
});

test("sign-in: a refresh with fewer grants ends the subscriptions that it no longer covers", async () => {
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
