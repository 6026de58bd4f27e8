import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { hashPassword } from "#auth/passwords.ts";
import { FROM, openAuth, SETTINGS } from "./opened.ts";

test("login: gives tokens of the user's role, which are found good", async () => {
  await using auth = await openAuth();
  const session = await auth.authenticator.login("ada", "correct horse", FROM);
  assert.equal(session.role, "trader");
  assert.equal(session.expiresInS, 900);
  const identity = await auth.authenticator.fromToken(session.accessToken);
  assert.deepEqual(identity, session.identity);
  assert.equal(identity.kind, "user");
  assert.equal(identity.user, "ada");
  assert.equal(identity.subscribe.covers("/quotes/AAPL"), true);
  assert.equal(identity.subscribe.covers("/news/1"), false);
  assert.equal(identity.expiresAtMs, auth.clock.nowMs() + 900_000);
});

test("anonymous: has what the configuration gives everybody, and cannot publish", async () => {
  await using auth = await openAuth();
  assert.equal(auth.authenticator.anonymous.kind, "anonymous");
  assert.equal(auth.authenticator.anonymous.subscribe.covers("/public/a"), true);
  assert.equal(auth.authenticator.anonymous.publish.covers("/public/a"), false);
});

test("login: a wrong password and an unknown name are refused in the same words and by the same code path", async () => {
  await using auth = await openAuth();
  const errors: unknown[] = [];
  for (const name of ["ada", "nobody"]) {
    await auth.authenticator.login(name, "wrong horse", FROM).catch((error: unknown) => errors.push(error));
  }
  const [known, unknown] = errors as [Error & { code: string }, Error & { code: string }];
  assert.equal(known.code, "wrong_credentials");
  assert.deepEqual({ ...known, message: known.message }, { ...unknown, message: unknown.message });
  assert.equal(auth.authenticator.failures.of("password:wrong_credentials"), 2);
});

test("attack, finding user names by time: an unknown name costs a hash of full price, as a known one does", async () => {
  await using auth = await openAuth({ throttle: { perUserAndAddress: 1000, perAddress: 1000 } });
  const { authenticator } = auth;
  const cpuOf = async (name: string): Promise<number> => {
    const start = process.cpuUsage();
    for (let at = 0; at < 5; at++) await authenticator.login(name, "wrong", FROM).catch(() => {});
    const { user, system } = process.cpuUsage(start);
    return user + system;
  };
  await cpuOf("warm up");
  const hashStart = process.cpuUsage();
  for (let at = 0; at < 5; at++) await hashPassword("x");
  const hash = process.cpuUsage(hashStart);
  // Half a hash is far above all else that a login does, and far below what noise takes away.
  assert.ok((await cpuOf("nobody")) > (hash.user + hash.system) / 2);
});

test("attack, oversized password or name: refused as wrong, and counted", async () => {
  await using auth = await openAuth();
  const rejected = { code: "wrong_credentials" };
  await assert.rejects(auth.authenticator.login("ada", "x".repeat(1_000_000), FROM), rejected);
  await assert.rejects(auth.authenticator.login("a".repeat(1_000_000), "x", FROM), rejected);
  await assert.rejects(auth.authenticator.login("ada\0", "correct horse", FROM), rejected);
});

test("attack, guessing: refused after ten failures of a name from an address, even with the right password", async () => {
  await using auth = await openAuth();
  for (let at = 0; at < 10; at++) {
    await assert.rejects(auth.authenticator.login("ada", `guess ${at}`, FROM), { code: "wrong_credentials" });
  }
  await assert.rejects(
    auth.authenticator.login("ada", "correct horse", FROM),
    (error: Error & { retryAfterS: number }) => {
      assert.ok(error.retryAfterS > 0);
      return true;
    },
  );
  assert.equal(
    (await auth.authenticator.login("ada", "correct horse", { address: "198.51.100.7" })).role,
    "trader",
  );
  assert.equal(auth.authenticator.failures.of("password:too_many_attempts"), 1);
});

test("login, refresh: what the database fails, or another refresh is faster at, locks nobody out", async () => {
  await using auth = await openAuth({ throttle: { perUserAndAddress: 2, perAddress: 3 } });
  const { users, sessions } = auth.storage;
  const { refreshToken } = await auth.authenticator.login("ada", "correct horse", FROM);
  const [find, findSession, rotate] = [users.find, sessions.find, sessions.rotate];
  const away = async () => Promise.reject(new Error("the database is away"));
  users.find = sessions.find = away;
  for (let at = 0; at < 5; at++) {
    await assert.rejects(auth.authenticator.login("ada", "correct horse", FROM), /is away/);
    await assert.rejects(auth.authenticator.refresh(refreshToken, FROM), /is away/);
  }
  [users.find, sessions.find, sessions.rotate] = [find, findSession, async () => false];
  for (let at = 0; at < 5; at++)
    await assert.rejects(auth.authenticator.refresh(refreshToken, FROM), { code: "busy" });
  sessions.rotate = rotate;
  assert.equal((await auth.authenticator.login("ada", "correct horse", FROM)).role, "trader");
  assert.equal((await auth.authenticator.refresh(refreshToken, FROM)).role, "trader");
});

test("attack, refresh by guessing at length: refused after as many failures as an address may have", async () => {
  await using auth = await openAuth({ throttle: { perAddress: 3 } });
  for (let at = 0; at < 3; at++)
    await assert.rejects(auth.authenticator.refresh("skr_guess", FROM), { code: "invalid_refresh_token" });
  await assert.rejects(auth.authenticator.refresh("skr_guess", FROM), { code: "too_many_attempts" });
});

test("login: more at once than may wait are told to come again, and nobody is harmed", async () => {
  await using auth = await openAuth({ passwordsAtOnce: 1, passwordsWaiting: 2 });
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, (_, at) =>
      auth.authenticator.login("ada", "correct horse", { address: `192.0.2.${at}` }),
    ),
  );
  const refused = results.filter((result) => result.status === "rejected");
  assert.equal(refused.length, 3);
  for (const result of refused) assert.equal(result.reason.code, "busy");
});

test("login: a disabled user is told so only with the right password", async () => {
  await using auth = await openAuth();
  await auth.accounts.disable("ada");
  await assert.rejects(auth.authenticator.login("ada", "wrong", FROM), { code: "wrong_credentials" });
  await assert.rejects(auth.authenticator.login("ada", "correct horse", FROM), { code: "disabled" });
  await auth.accounts.enable("ada");
  assert.equal((await auth.authenticator.login("ada", "correct horse", FROM)).role, "trader");
});

test("login: a hash of old cost is made anew, and the password stays", async () => {
  await using auth = await openAuth();
  const old = await hashPassword("correct horse", { memory: 64, passes: 1, parallelism: 1 });
  await auth.storage.users.update("ada", { passwordHash: old }, 0);
  await auth.authenticator.login("ada", "correct horse", FROM);
  assert.match((await auth.storage.users.find("ada"))?.passwordHash ?? "", /\$m=19456,t=2,p=1\$/);
  await auth.authenticator.login("ada", "correct horse", FROM);
});

test("refresh: gives new tokens, with the role that the user has by now", async () => {
  await using auth = await openAuth();
  const first = await auth.authenticator.login("ada", "correct horse", FROM);
  await auth.storage.users.update("ada", { role: "admin" }, 0);
  const next = await auth.authenticator.refresh(first.refreshToken, FROM);
  assert.equal(next.role, "admin");
  assert.equal(next.identity.sessionId, first.identity.sessionId);
  assert.notEqual(next.refreshToken, first.refreshToken);
});

test("refresh: good until its time is over, which each use puts off", async () => {
  await using auth = await openAuth();
  let session = await auth.authenticator.login("ada", "correct horse", FROM);
  for (let day = 0; day < 60; day += 20) {
    auth.clock.advance(20 * 86_400_000);
    session = await auth.authenticator.refresh(session.refreshToken, FROM);
  }
  auth.clock.advance(30 * 86_400_000);
  await assert.rejects(auth.authenticator.refresh(session.refreshToken, FROM), {
    code: "invalid_refresh_token",
  });
});

test("attack, refresh reuse: an old refresh token ends the session, its newest tokens included", async () => {
  await using auth = await openAuth();
  const told: string[] = [];
  using _ = auth.authenticator.onRevoked((filter) => told.push(...filter.sessionIds));
  const stolen = await auth.authenticator.login("ada", "correct horse", FROM);
  const newest = await auth.authenticator.refresh(stolen.refreshToken, FROM);
  auth.clock.advance(11_000);
  await assert.rejects(auth.authenticator.refresh(stolen.refreshToken, FROM), {
    code: "refresh_token_reused",
  });
  await assert.rejects(auth.authenticator.refresh(newest.refreshToken, FROM), {
    code: "invalid_refresh_token",
  });
  await assert.rejects(auth.authenticator.fromToken(newest.accessToken), { code: "token_revoked" });
  assert.deepEqual(told, [newest.identity.sessionId]);
});

test("attack, refresh reuse by a thief who is fast: found out at the refresh after", async () => {
  await using auth = await openAuth();
  const { refreshToken } = await auth.authenticator.login("ada", "correct horse", FROM);
  const thief = await auth.authenticator.refresh(refreshToken, FROM);
  const victim = await auth.authenticator.refresh(refreshToken, FROM);
  auth.clock.advance(60_000);
  await auth.authenticator.refresh(victim.refreshToken, FROM);
  auth.clock.advance(60_000);
  await assert.rejects(auth.authenticator.refresh(thief.refreshToken, FROM), {
    code: "refresh_token_reused",
  });
});

test("refresh: an answer that was lost on its way can be asked for again at once", async () => {
  await using auth = await openAuth();
  const { refreshToken } = await auth.authenticator.login("ada", "correct horse", FROM);
  await auth.authenticator.refresh(refreshToken, FROM);
  auth.clock.advance(9_000);
  const again = await auth.authenticator.refresh(refreshToken, FROM);
  auth.clock.advance(60_000);
  assert.equal((await auth.authenticator.refresh(again.refreshToken, FROM)).role, "trader");
});

test("attack, refresh by guessing: a session's id without its secret changes nothing", async () => {
  await using auth = await openAuth();
  const { refreshToken } = await auth.authenticator.login("ada", "correct horse", FROM);
  const bytes = Buffer.from(refreshToken.slice(4), "base64url");
  bytes.fill(7, 16);
  await assert.rejects(auth.authenticator.refresh(`skr_${bytes.toString("base64url")}`, FROM), {
    code: "invalid_refresh_token",
  });
  assert.equal((await auth.authenticator.refresh(refreshToken, FROM)).role, "trader");
});

test("logout: ends the session at once, by identity or by refresh token, and tells who must go", async () => {
  await using auth = await openAuth();
  const told: string[] = [];
  using _ = auth.authenticator.onRevoked((filter) => told.push(...filter.sessionIds));
  const one = await auth.authenticator.login("ada", "correct horse", FROM);
  const other = await auth.authenticator.login("ada", "correct horse", FROM);
  await auth.authenticator.logout(one.identity);
  await auth.authenticator.logout(one.identity);
  await assert.rejects(auth.authenticator.fromToken(one.accessToken), { code: "token_revoked" });
  await assert.rejects(auth.authenticator.refresh(one.refreshToken, FROM), { code: "invalid_refresh_token" });
  assert.equal((await auth.authenticator.fromToken(other.accessToken)).user, "ada");
  await auth.authenticator.logout(other.refreshToken);
  await assert.rejects(auth.authenticator.fromToken(other.accessToken), { code: "token_revoked" });
  await auth.authenticator.logout("nonsense");
  assert.deepEqual(told, [one.identity.sessionId, other.identity.sessionId]);
});

test("disable, remove, passwd: end every session of the user, as if another process did it", async () => {
  for (const act of ["disable", "remove", "setPassword"] as const) {
    await using auth = await openAuth();
    const told: string[] = [];
    using _ = auth.authenticator.onRevoked((filter) => told.push(...filter.sessionIds));
    const session = await auth.authenticator.login("ada", "correct horse", FROM);
    if (act === "setPassword") await auth.accounts.setPassword("ada", "a better horse");
    else await auth.accounts[act]("ada");
    await auth.authenticator.followRevocations();
    await assert.rejects(auth.authenticator.fromToken(session.accessToken), { code: "token_revoked" });
    await assert.rejects(auth.authenticator.refresh(session.refreshToken, FROM), {
      code: "invalid_refresh_token",
    });
    assert.deepEqual(told, [session.identity.sessionId]);
    if (act === "setPassword") {
      const again = await auth.authenticator.login("ada", "a better horse", FROM);
      assert.equal((await auth.authenticator.fromToken(again.accessToken)).user, "ada");
    }
  }
});

for (const act of ["disable", "remove", "setPassword", "setRole"] as const) {
  test(`attack, a sign-in under way: ${act} ends it as it ends those before`, async () => {
    await using auth = await openAuth();
    const { sessions, users } = auth.storage;
    const add = sessions.add.bind(sessions);
    // The password has been checked, and the session is about to be there.
    sessions.add = async (session) => {
      if (act === "setPassword") await auth.accounts.setPassword("ada", "a better horse");
      else if (act === "setRole") await users.update("ada", { role: "admin" }, 0);
      else await auth.accounts[act]("ada");
      await add(session);
    };
    await assert.rejects(auth.authenticator.login("ada", "correct horse", FROM), {
      code: "wrong_credentials",
    });
    const left = await sessions.listOf("ada", 10);
    assert.equal(left.filter(({ revokedMs }) => revokedMs === null).length, 0);
  });
}

test("login: a hash that another sign-in renews meanwhile is no change of the password", async () => {
  await using auth = await openAuth();
  const { sessions, users } = auth.storage;
  const add = sessions.add.bind(sessions);
  const renewed = await hashPassword("correct horse", { memory: 64, passes: 1, parallelism: 1 });
  sessions.add = async (session) => {
    await users.update("ada", { passwordHash: renewed }, 0);
    await add(session);
  };
  assert.equal((await auth.authenticator.login("ada", "correct horse", FROM)).role, "trader");
});

test("attack, an issuer that is taken out while its keys are fetched: its token is refused, then and later", async () => {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "k", alg: "ES256" };
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    asked.resolve();
    void answer.promise.then(() => response.end(JSON.stringify({ keys: [jwk] })));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const trusted = { issuer: "https://issuer.example", jwksUri, audience: "hub" };
    await using auth = await openAuth({ settings: { ...SETTINGS, trustedIssuers: [trusted] } });
    const nowS = Math.floor(auth.clock.nowMs() / 1000);
    const token = await new SignJWT({ client_id: "c", authorization_details: [] })
      .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "k" })
      .setIssuer(trusted.issuer)
      .setAudience(trusted.audience)
      .setSubject("eve")
      .setJti("j")
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + 3600)
      .sign(privateKey);
    const checking = auth.authenticator.fromToken(token);
    await asked.promise;
    auth.authenticator.reconfigure(SETTINGS);
    answer.resolve();
    await assert.rejects(checking, { code: "invalid_token" });
    await assert.rejects(auth.authenticator.fromToken(token), { code: "invalid_token" });
    auth.authenticator.reconfigure({ ...SETTINGS, trustedIssuers: [trusted] });
    assert.equal((await auth.authenticator.fromToken(token)).user, "eve", "it was a good one before");
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("fromToken: a token that was just found good is still refused once it expires", async () => {
  await using auth = await openAuth();
  const { accessToken } = await auth.authenticator.login("ada", "correct horse", FROM);
  for (let at = 0; at < 3; at++) await auth.authenticator.fromToken(accessToken);
  auth.clock.advance(900_000);
  await assert.rejects(auth.authenticator.fromToken(accessToken), { code: "token_expired" });
  assert.equal(auth.authenticator.failures.of("token:token_expired"), 1);
});

test("reconfigure: a role that is gone is refused, one that changed has its new grants", async () => {
  await using auth = await openAuth();
  const { accessToken, refreshToken } = await auth.authenticator.login("ada", "correct horse", FROM);
  await auth.authenticator.fromToken(accessToken);
  const trader = { subscribe: ["/news/*"], publish: [], admin: false };
  auth.authenticator.reconfigure({ ...SETTINGS, roles: { trader }, anonymous: { subscribe: [] } });
  assert.equal((await auth.authenticator.fromToken(accessToken)).subscribe.covers("/news/1"), true);
  assert.equal(auth.authenticator.anonymous.subscribe.covers("/public/a"), false);
  auth.authenticator.reconfigure({ ...SETTINGS, roles: {} });
  await assert.rejects(auth.authenticator.fromToken(accessToken), { code: "invalid_token" });
  await assert.rejects(auth.authenticator.refresh(refreshToken, FROM), { code: "disabled" });
});

test("close: leaves no timer behind", async () => {
  const auth = await openAuth();
  assert.equal(auth.clock.timersPending, 1);
  await auth[Symbol.asyncDispose]();
  assert.equal(auth.clock.timersPending, 0);
});
