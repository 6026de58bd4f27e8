import assert from "node:assert/strict";
import { test } from "node:test";
import {
  HASH_COST,
  hashPassword,
  isOutdated,
  PASSWORD_BYTES_MAX,
  passwordFault,
  verifyPassword,
} from "./passwords.ts";

const CHEAP = { memory: 32, passes: 1, parallelism: 1 };

test("hash: a PHC string of argon2id, salted anew each time, that only its password matches", async () => {
  const [one, other] = await Promise.all([
    hashPassword("correct horse", CHEAP),
    hashPassword("correct horse", CHEAP),
  ]);
  assert.match(one, /^\$argon2id\$v=19\$m=32,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(one, other);
  assert.equal(await verifyPassword("correct horse", one), true);
  assert.equal(await verifyPassword("correct horsE", one), false);
  assert.equal(await verifyPassword("", one), false);
});

test("hash: today's cost is what OWASP asks of argon2id", async () => {
  assert.deepEqual(HASH_COST, { memory: 19_456, passes: 2, parallelism: 1 });
  assert.match(await hashPassword("x"), /\$m=19456,t=2,p=1\$/);
});

test("verify: the same password in composed and decomposed form is one", async () => {
  const hash = await hashPassword("Zoë’s caf\u00e9", CHEAP);
  assert.equal(await verifyPassword("Zoë’s cafe\u0301", hash), true);
});

test("verify: an unreadable or absurdly costly hash matches nothing, at once", async () => {
  for (const hash of [
    "",
    "plain",
    "$argon2i$v=19$m=32,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=19$m=9999999,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=19$m=32,t=999,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
    "$argon2id$v=19$m=4,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
  ]) {
    assert.equal(await verifyPassword("x", hash), false);
  }
});

test("attack, oversized password: refused unread", async () => {
  const hash = await hashPassword("x".repeat(PASSWORD_BYTES_MAX), CHEAP);
  assert.equal(await verifyPassword("x".repeat(PASSWORD_BYTES_MAX), hash), true);
  assert.equal(await verifyPassword("x".repeat(PASSWORD_BYTES_MAX + 1), hash), false);
  assert.equal(await verifyPassword("€".repeat(PASSWORD_BYTES_MAX / 2), hash), false);
});

test("isOutdated: a hash of another cost is to be made anew", async () => {
  const hash = await hashPassword("x", CHEAP);
  assert.equal(isOutdated(hash, CHEAP), false);
  assert.equal(isOutdated(hash), true);
  assert.equal(isOutdated("plain"), true);
});

test("passwordFault: says what is wrong, counted in characters, not in code units", () => {
  assert.match(passwordFault("short", 8) ?? "", /at least 8/);
  assert.match(passwordFault("🔑🔑🔑🔑", 8) ?? "", /at least 8/);
  assert.match(passwordFault("x".repeat(1025), 8) ?? "", /longer than 1024 bytes/);
  assert.match(passwordFault("", 1) ?? "", /empty/);
  assert.equal(passwordFault("demo", 1), null);
  assert.equal(passwordFault("long enough", 8), null);
});
