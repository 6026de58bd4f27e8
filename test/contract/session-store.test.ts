import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { Revocation, RevocationPlace, SessionRecord } from "#auth/ports.ts";
import { ADAPTERS, type OpenedAdapter } from "./adapters.ts";

const T0 = 1_767_225_600_000;
const LIFE_MS = 86_400_000;

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

    test("revokedSessions, revokedTokens: in order of time, bounded, seen by another opening", async () => {
      await opened.storage.sessions.add(session("old"));
      await opened.storage.sessions.add(session("new"));
      await opened.storage.sessions.revoke("old", T0 + 1);
      await opened.storage.sessions.revokeToken("jti", T0 + 2, T0 + 100);
      await opened.storage.sessions.revokeToken("jti", T0 + 3, T0 + 100);
      await opened.storage.sessions.revoke("new", T0 + 4);
      const { sessions } = await opened.openAgain();
      const ended = (id: string, atMs: number) => ({
        sessionId: id,
        tokenId: null,
        user: "ada",
        atMs,
        untilMs: null,
      });
      const token = { sessionId: null, tokenId: "jti", user: null, atMs: T0 + 2, untilMs: T0 + 100 };
      assert.deepEqual(await sessions.revokedSessions({ atMs: T0, id: null }, 10, LIFE_MS), [
        ended("old", T0 + 1),
        ended("new", T0 + 4),
      ]);
      assert.deepEqual(await sessions.revokedSessions({ atMs: T0 + 4, id: null }, 10, LIFE_MS), [
        ended("new", T0 + 4),
      ]);
      assert.deepEqual(await sessions.revokedSessions({ atMs: T0, id: null }, 1, LIFE_MS), [
        ended("old", T0 + 1),
      ]);
      assert.deepEqual(await sessions.revokedTokens({ atMs: T0 + 2, id: null }, 10), [token]);
      assert.deepEqual(await sessions.revokedTokens({ atMs: T0 + 2, id: "jti" }, 10), []);
      assert.deepEqual(await sessions.revokedTokens({ atMs: T0 + 3, id: null }, 10), []);
    });

    test("revokedSessions, revokedTokens: one instant may span pages, and none is read twice or left out", async () => {
      const ids = Array.from({ length: 25 }, (_, at) => `s${(at * 7) % 25}`);
      for (const id of ids) {
        await opened.storage.sessions.add(session(id));
        await opened.storage.sessions.revokeToken(`of ${id}`, T0 + 1, T0 + 100);
      }
      await opened.storage.sessions.revokeAllOf("ada", T0 + 1);
      await opened.storage.sessions.add(session("late", { revokedMs: T0 + 2 }));
      await opened.storage.sessions.revokeToken("of late", T0 + 2, T0 + 100);
      const { sessions } = opened.storage;
      const all = async (page: (from: RevocationPlace) => Promise<Revocation[]>): Promise<string[]> => {
        const read: string[] = [];
        for (let from: RevocationPlace = { atMs: T0, id: null }; ; ) {
          const last = (await page(from)).map(({ sessionId, tokenId, atMs }) => {
            read.push(sessionId ?? tokenId ?? "");
            return { atMs, id: sessionId ?? tokenId };
          });
          if (last.length < 10) return read;
          from = last[9] as RevocationPlace;
        }
      };
      const read = await all((from) => sessions.revokedSessions(from, 10, LIFE_MS));
      assert.equal(read.at(-1), "late");
      assert.deepEqual(read.sort(), [...ids, "late"].sort());
      const tokens = await all((from) => sessions.revokedTokens(from, 10));
      assert.deepEqual(tokens.sort(), [...ids, "late"].map((id) => `of ${id}`).sort());
    });

    test("revokedSessions: those whose last token had ended before are left out", async () => {
      await opened.storage.sessions.add(session("dead", { rotatedMs: T0 - LIFE_MS - 1 }));
      await opened.storage.sessions.add(session("live", { rotatedMs: T0 - LIFE_MS }));
      await opened.storage.sessions.revokeAllOf("ada", T0);
      const read = await opened.storage.sessions.revokedSessions({ atMs: 0, id: null }, 10, LIFE_MS);
      assert.deepEqual(
        read.map(({ sessionId }) => sessionId),
        ["live"],
      );
    });

    test("endOldest: keeps those used last; the others expire, unrevoked, and can still be revoked", async () => {
      const { sessions } = opened.storage;
      // The oldest is the one in use.
      for (const at of [1, 2, 3, 4])
        await sessions.add(session(`a${at}`, { createdMs: T0 + at, rotatedMs: T0 + at }));
      await sessions.rotate("a1", "first", { tokenHash: "second", rotatedMs: T0 + 9, expiresMs: T0 + 99 });
      await sessions.add(session("over", { expiresMs: T0 + 10, rotatedMs: T0 + 8 }));
      await sessions.add(session("revoked", { revokedMs: T0 + 7, rotatedMs: T0 + 7 }));
      await sessions.add(session("b1", { user: "bob" }));
      assert.equal(await sessions.endOldest("ada", 2, T0 + 10), 2);
      const expiries = async (...ids: string[]) =>
        Promise.all(ids.map(async (id) => (await sessions.find(id))?.expiresMs));
      assert.deepEqual(await expiries("a2", "a3"), [T0 + 10, T0 + 10]);
      assert.deepEqual(await expiries("a1", "a4", "b1"), [T0 + 99, T0 + 86_400_000, T0 + 86_400_000]);
      assert.equal((await sessions.find("a2"))?.revokedMs, null);
      assert.equal(await sessions.endOldest("ada", 2, T0 + 11), 0);
      assert.equal(await sessions.revokeAllOf("ada", T0 + 12), 5);
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
