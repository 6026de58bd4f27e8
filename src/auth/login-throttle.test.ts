import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { AuthError } from "./auth-error.ts";
import { LoginThrottle } from "./login-throttle.ts";

const BOUNDS = { perUserAndAddress: 3, perAddress: 6, windowS: 60 };

async function refusedAfter(throttle: LoginThrottle, name: string | null, address: string): Promise<number> {
  for (let attempts = 0; attempts < 100; attempts++) {
    try {
      await throttle.begin(name, address);
    } catch (error) {
      assert.ok(error instanceof AuthError && error.code === "too_many_attempts");
      assert.ok(error.retryAfterS !== null && error.retryAfterS >= 1 && error.retryAfterS <= 60);
      return attempts;
    }
  }
  return Number.POSITIVE_INFINITY;
}

test("throttle: a name from one address is refused after its attempts, from another it is not", async () => {
  const throttle = new LoginThrottle(BOUNDS);
  assert.equal(await refusedAfter(throttle, "ada", "192.0.2.1"), 3);
  assert.equal(await refusedAfter(throttle, "ada", "192.0.2.2"), 3);
});

test("throttle: many names from one address are refused together", async () => {
  const throttle = new LoginThrottle(BOUNDS);
  let attempts = 0;
  for (; attempts < 100; attempts++) {
    if (
      await throttle.begin(`user-${attempts}`, "192.0.2.1").then(
        () => false,
        () => true,
      )
    )
      break;
  }
  assert.equal(attempts, 6);
});

test("attack, a thousand guesses at once: they count as a thousand", async () => {
  const throttle = new LoginThrottle(BOUNDS);
  const results = await Promise.allSettled(
    Array.from({ length: 1000 }, () => throttle.begin("ada", "192.0.2.1")),
  );
  assert.equal(results.filter((result) => result.status === "fulfilled").length, 3);
});

test("attack, an IPv6 network's many addresses: a /64 counts as one, and a mapped IPv4 address as itself", async () => {
  const throttle = new LoginThrottle({ ...BOUNDS, perAddress: 2 });
  await throttle.begin("a", "2001:db8:0:1::1");
  await throttle.begin("b", "2001:0db8::1:ffff:1:2:3");
  await assert.rejects(throttle.begin("c", "2001:db8:0:1:5:6:7:8"), { code: "too_many_attempts" });
  await throttle.begin("d", "2001:db8:0:2::1");
  await throttle.begin("e", "::ffff:192.0.2.1");
  await throttle.begin("f", "192.0.2.1");
  await assert.rejects(throttle.begin("g", "192.0.2.1"), { code: "too_many_attempts" });
});

test("throttle: success forgets the name's failures and takes its own attempt back from the address", async () => {
  const throttle = new LoginThrottle(BOUNDS);
  for (let round = 0; round < 20; round++) {
    const attempt = await throttle.begin("ada", "192.0.2.1");
    await attempt.succeeded();
  }
  assert.equal(await refusedAfter(throttle, "ada", "192.0.2.1"), 3);
});

test("throttle: an attempt that was not looked at is not counted", async () => {
  const throttle = new LoginThrottle(BOUNDS);
  for (let round = 0; round < 20; round++) await (await throttle.begin("ada", "192.0.2.1")).abandoned();
  assert.equal(await refusedAfter(throttle, "ada", "192.0.2.1"), 3);
});

test("throttle: more good sign-ins at once than may fail are refused for a second, and lock nobody out", async () => {
  const throttle = new LoginThrottle({ ...BOUNDS, perUserAndAddress: 100 });
  const signIn = (name: string | null) => throttle.attempt(name, "192.0.2.1", () => Promise.resolve("in"));
  for (const name of ["ada", null]) {
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => signIn(name)));
    const refused = results.filter((result) => result.status === "rejected");
    assert.equal(refused.length, 14);
    for (const { reason } of refused)
      assert.deepEqual([reason.code, reason.retryAfterS], ["too_many_attempts", 1]);
    assert.equal(await signIn(name), "in");
  }
});

test("throttle: who goes on with a refused name takes nothing from the others of the address", async () => {
  const throttle = new LoginThrottle(BOUNDS);
  const wrong = () => Promise.reject(new AuthError("wrong_credentials", "wrong"));
  for (let at = 0; at < 3; at++) await assert.rejects(throttle.attempt("ada", "192.0.2.1", wrong));
  for (let at = 0; at < 100; at++) {
    await assert.rejects(throttle.begin("ada", "192.0.2.1"), (error: AuthError) => {
      assert.equal(error.code, "too_many_attempts");
      return (error.retryAfterS ?? 0) > 50;
    });
  }
  for (let at = 0; at < 3; at++) await throttle.begin(`other-${at}`, "192.0.2.1");
  await assert.rejects(throttle.begin("one more", "192.0.2.1"), {
    code: "too_many_attempts",
    retryAfterS: 1,
  });
});

test("throttle: what says nothing of the credentials is no failure, what says that they are wrong is one", async () => {
  const throttle = new LoginThrottle(BOUNDS);
  const failing = (error: Error) => throttle.attempt(null, "192.0.2.1", () => Promise.reject(error));
  const others = [new Error("the database is away"), new AuthError("busy", "elsewhere", { retryAfterS: 1 })];
  for (let at = 0; at < 100; at++) {
    const error = others[at % 2] as Error;
    await assert.rejects(failing(error), error);
  }
  for (const code of ["wrong_credentials", "invalid_refresh_token", "refresh_token_reused"] as const) {
    for (let at = 0; at < 2; at++) await assert.rejects(failing(new AuthError(code, "no")), { code });
  }
  await assert.rejects(failing(new Error("never asked")), { code: "too_many_attempts" });
});

test("attack, guesses at once that all fail: refused ones buy none, then or later", async () => {
  const throttle = new LoginThrottle(BOUNDS);
  let checked = 0;
  const guess = () =>
    throttle.attempt("ada", "192.0.2.1", async () => {
      checked++;
      throw new AuthError("wrong_credentials", "wrong");
    });
  for (let burst = 0; burst < 5; burst++) await Promise.allSettled(Array.from({ length: 1000 }, guess));
  assert.equal(checked, 3);
});

test("throttle: after the window there are attempts again", async () => {
  mock.timers.enable({ apis: ["Date", "setTimeout"] });
  try {
    const throttle = new LoginThrottle(BOUNDS);
    assert.equal(await refusedAfter(throttle, "ada", "192.0.2.1"), 3);
    mock.timers.tick(60_001);
    assert.equal(await refusedAfter(throttle, "ada", "192.0.2.1"), 3);
  } finally {
    mock.timers.reset();
  }
});
