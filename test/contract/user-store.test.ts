import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { UserRecord } from "#auth/ports.ts";
import { ADAPTERS, type OpenedAdapter } from "./adapters.ts";

const user = (name: string, change: Partial<UserRecord> = {}): UserRecord => ({
  name,
  passwordHash: "$argon2id$…",
  role: "trader",
  disabled: false,
  createdMs: 1_767_225_600_123,
  updatedMs: 1_767_225_600_123,
  ...change,
});

for (const adapter of ADAPTERS) {
  describe(`user store on ${adapter.name}`, { skip: adapter.missing }, () => {
    let opened: OpenedAdapter;
    before(async () => {
      opened = await adapter.open();
    });
    after(() => opened[Symbol.asyncDispose]());

    test("add, find: a user comes back as it was added, to the millisecond", async () => {
      const ada = user("ada", { disabled: true });
      assert.equal(await opened.storage.users.add(ada), true);
      assert.deepEqual(await opened.storage.users.find("ada"), ada);
    });

    test("find: names are told apart by case, and an unknown one is null", async () => {
      await opened.storage.users.add(user("grace"));
      assert.equal(await opened.storage.users.find("Grace"), null);
      assert.equal(await opened.storage.users.find("' or 1=1 --"), null);
    });

    test("add: a taken name is refused and the user keeps what it had", async () => {
      await opened.storage.users.add(user("alan", { role: "admin" }));
      assert.equal(await opened.storage.users.add(user("alan", { role: "other" })), false);
      assert.equal((await opened.storage.users.find("alan"))?.role, "admin");
    });

    test("add: of many that add the same name at once, one succeeds", async () => {
      const again = await opened.openAgain();
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, at) => (at % 2 ? again : opened.storage).users.add(user("race"))),
      );
      assert.equal(results.filter(Boolean).length, 1);
    });

    test("update: changes only what is given, and says when there is no such user", async () => {
      await opened.storage.users.add(user("edsger"));
      assert.equal(await opened.storage.users.update("edsger", { disabled: true }, 1_767_225_700_000), true);
      assert.deepEqual(
        await opened.storage.users.find("edsger"),
        user("edsger", { disabled: true, updatedMs: 1_767_225_700_000 }),
      );
      assert.equal(await opened.storage.users.update("nobody", { role: "x" }, 1), false);
    });

    test("update: of a user whose password has changed meanwhile it changes nothing where that is asked", async () => {
      await opened.storage.users.add(user("grace"));
      const { passwordHash } = user("grace");
      const update = (hash: string, ifHash: string) =>
        opened.storage.users.update("grace", { passwordHash: hash }, 1_767_225_700_000, ifHash);
      assert.equal(await update("other", "not the hash"), false);
      assert.equal((await opened.storage.users.find("grace"))?.passwordHash, passwordHash);
      assert.equal(await update("other", passwordHash), true);
      assert.equal((await opened.storage.users.find("grace"))?.passwordHash, "other");
    });

    test("remove: the user is gone, and a second removal says so", async () => {
      await opened.storage.users.add(user("kurt"));
      assert.equal(await opened.storage.users.remove("kurt"), true);
      assert.equal(await opened.storage.users.find("kurt"), null);
      assert.equal(await opened.storage.users.remove("kurt"), false);
    });

    test("list: pages through all users in one order, each once", async () => {
      for (let at = 0; at < 25; at++)
        await opened.storage.users.add(user(`page-${String(at).padStart(2, "0")}`));
      const seen: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = await opened.storage.users.list({
          limit: 10,
          ...(after === undefined ? {} : { after }),
        });
        if (page.length === 0) break;
        seen.push(...page.map((record) => record.name));
        after = seen.at(-1);
      }
      assert.equal(new Set(seen).size, seen.length);
      assert.equal(seen.filter((name) => name.startsWith("page-")).length, 25);
    });
  });
}
