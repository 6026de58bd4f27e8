import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { SessionRecord } from "#auth/ports.ts";
import { ADAPTERS, type OpenedAdapter } from "./adapters.ts";

const T0 = 1_767_225_600_000;

const session = (id: string, change: Partial<SessionRecord> = {}): SessionRecord => ({
  id,
  user: "ada",
  familyHash: "family",
  tokenHash: "first",
  previousTokenHash: null,
  createdMs: T0,
  rotatedMs: T0,
  expiresMs: T0 + 86_400_000,
  revokedMs: null,
  ...change,
});

for (const adapter of ADAPTERS) {
  describe(`session store on ${adapter.name}`, { skip: adapter.missing }, () => {
    let opened: OpenedAdapter;
    before(async () => {
      opened = await adapter.open();
    });
    after(() => opened[Symbol.asyncDispose]());
    beforeEach(() => opened.storage.sessions.prune(Number.MAX_SAFE_INTEGER));

    test("add, find: a session comes back as it was added; an unknown one is null", async () => {
      await opened.storage.sessions.add(session("s1"));
      assert.deepEqual(await opened.storage.sessions.find("s1"), session("s1"));
      assert.equal(await opened.storage.sessions.find("s2"), null);
    });

    test("rotate: remembers the hash that it replaced", async () => {
      await opened.storage.sessions.add(session("s1"));
      const next = { tokenHash: "second", rotatedMs: T0 + 1, expiresMs: T0 + 2 };
      assert.equal(await opened.storage.sessions.rotate("s1", "first", next), true);
      assert.deepEqual(
        await opened.storage.sessions.find("s1"),
        session("s1", { ...next, previousTokenHash: "first" }),
      );
    });

    test("rotate: of many at once with the same hash, one succeeds", async () => {
      await opened.storage.sessions.add(session("s1"));
      const again = await opened.openAgain();
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          (at % 2 ? again : opened.storage).sessions.rotate("s1", "first", {
            tokenHash: `next-${at}`,
            rotatedMs: T0,
            expiresMs: T0,
          }),
        ),
      );
      assert.equal(results.filter(Boolean).length, 1);
    });

    test("rotate: a revoked session is not rotated", async () => {
      await opened.storage.sessions.add(session("s1"));
      assert.equal(await opened.storage.sessions.revoke("s1", T0 + 5), true);
      const next = { tokenHash: "second", rotatedMs: T0, expiresMs: T0 };
      assert.equal(await opened.storage.sessions.rotate("s1", "first", next), false);
    });

    test("revoke: happens once, and keeps its first time", async () => {
      await opened.storage.sessions.add(session("s1"));
      assert.equal(await opened.storage.sessions.revoke("s1", T0 + 5), true);
      assert.equal(await opened.storage.sessions.revoke("s1", T0 + 9), false);
      assert.equal((await opened.storage.sessions.find("s1"))?.revokedMs, T0 + 5);
      assert.equal(await opened.storage.sessions.revoke("unknown", T0), false);
    });

    test("revokeAllOf: reaches every session of that user and nobody else's", async () => {
      await opened.storage.sessions.add(session("a1"));
      await opened.storage.sessions.add(session("a2"));
      await opened.storage.sessions.add(session("b1", { user: "bob" }));
      assert.equal(await opened.storage.sessions.revokeAllOf("ada", T0 + 1), 2);
      assert.equal((await opened.storage.sessions.find("b1"))?.revokedMs, null);
      assert.equal(await opened.storage.sessions.revokeAllOf("ada", T0 + 2), 0);
    });

    test("listOf: a user's sessions, the newest first, ended ones too, within the limit, and nobody else's", async () => {
      await opened.storage.sessions.add(session("a1", { createdMs: T0 + 1 }));
      await opened.storage.sessions.add(session("a3", { createdMs: T0 + 3 }));
      await opened.storage.sessions.add(session("a2", { createdMs: T0 + 2 }));
      await opened.storage.sessions.add(session("b1", { user: "bob", createdMs: T0 + 9 }));
      await opened.storage.sessions.revoke("a2", T0 + 5);
      const ids = async (limit: number) =>
        (await opened.storage.sessions.listOf("ada", limit)).map(({ id }) => id);
      assert.deepEqual(await ids(10), ["a3", "a2", "a1"]);
      assert.deepEqual(await ids(2), ["a3", "a2"]);
      const [, second] = await opened.storage.sessions.listOf("ada", 10);
      assert.deepEqual(second, session("a2", { createdMs: T0 + 2, revokedMs: T0 + 5 }));
      assert.deepEqual(await opened.storage.sessions.listOf("nobody", 10), []);
    });

    test("revocationsSince: sessions and tokens in order of time, bounded, seen by another opening", async () => {
      await opened.storage.sessions.add(session("old"));
      await opened.storage.sessions.add(session("new"));
      await opened.storage.sessions.revoke("old", T0 + 1);
      await opened.storage.sessions.revokeToken("jti", T0 + 2, T0 + 100);
      await opened.storage.sessions.revokeToken("jti", T0 + 3, T0 + 100);
      await opened.storage.sessions.revoke("new", T0 + 4);
      const again = await opened.openAgain();
      assert.deepEqual(await again.sessions.revocationsSince(T0 + 2, 10), [
        { sessionId: null, tokenId: "jti", user: null, atMs: T0 + 2, untilMs: T0 + 100 },
        { sessionId: "new", tokenId: null, user: "ada", atMs: T0 + 4, untilMs: null },
      ]);
      assert.equal((await again.sessions.revocationsSince(T0, 2)).length, 2);
    });

    test("prune: forgets what can no longer be used, and keeps the rest", async () => {
      await opened.storage.sessions.add(session("live"));
      await opened.storage.sessions.add(session("expired", { expiresMs: T0 - 1 }));
      await opened.storage.sessions.add(session("revoked", { revokedMs: T0 - 1 }));
      await opened.storage.sessions.add(session("just revoked", { revokedMs: T0 }));
      await opened.storage.sessions.revokeToken("jti", T0 - 2, T0 - 1);
      assert.equal(await opened.storage.sessions.prune(T0), 3);
      assert.equal(await opened.storage.sessions.find("expired"), null);
      assert.notEqual(await opened.storage.sessions.find("live"), null);
      assert.notEqual(await opened.storage.sessions.find("just revoked"), null);
    });
  });
}
