import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { ErrorGroupRecord } from "#ops/error-groups.ts";
import { ADAPTERS, type OpenedAdapter } from "./adapters.ts";

const T0 = 1_767_225_600_000;

const group = (change: Partial<ErrorGroupRecord> = {}): ErrorGroupRecord => ({
  kind: "end",
  room: "downstream",
  code: "connection_reset",
  peer: "192.0.2.1",
  sample: "read ECONNRESET",
  count: 3,
  firstAtMs: T0,
  lastAtMs: T0 + 10,
  ...change,
});

for (const adapter of ADAPTERS) {
  describe(`error store on ${adapter.name}`, { skip: adapter.missing }, () => {
    let opened: OpenedAdapter;
    before(async () => {
      opened = await adapter.open();
    });
    after(() => opened[Symbol.asyncDispose]());
    beforeEach(() => opened.storage.errors.prune(Number.MAX_SAFE_INTEGER));

    test("saveAll, load: a group comes back as it was saved, in another opening too", async () => {
      const odd = group({ kind: "error", peer: "", code: "x'\";--", sample: "Ünïcode ☃ \\ 'quoted'" });
      await opened.storage.errors.saveAll([group(), odd]);
      const found = await (await opened.openAgain()).errors.load(10);
      assert.deepEqual(new Set(found), new Set([group(), odd]));
    });

    test("saveAll: a group that is known is replaced, not added to", async () => {
      await opened.storage.errors.saveAll([group()]);
      const later = group({ count: 9, sample: "write EPIPE", lastAtMs: T0 + 99 });
      await opened.storage.errors.saveAll([later]);
      assert.deepEqual(await opened.storage.errors.load(10), [later]);
    });

    test("saveAll: kind, room, code and peer each tell groups apart", async () => {
      const groups = [
        group(),
        group({ kind: "error" }),
        group({ room: "upstream" }),
        group({ code: "no_pong" }),
        group({ peer: "192.0.2.2" }),
      ];
      await opened.storage.errors.saveAll(groups);
      assert.equal((await opened.storage.errors.load(10)).length, groups.length);
    });

    test("saveAll: thousands at once, and counts beyond 32 bits, are kept", async () => {
      const groups = Array.from({ length: 2000 }, (_, n) =>
        group({ peer: `p${n}`, count: 2 ** 40 + n, lastAtMs: T0 + n }),
      );
      await opened.storage.errors.saveAll(groups);
      const found = await opened.storage.errors.load(5000);
      assert.equal(found.length, 2000);
      assert.equal(found[0]?.count, 2 ** 40 + 1999);
      await opened.storage.errors.saveAll([]);
    });

    test("load: those seen last come first, and no more than asked for", async () => {
      await opened.storage.errors.saveAll([1, 3, 2].map((n) => group({ peer: `p${n}`, lastAtMs: T0 + n })));
      const found = await opened.storage.errors.load(2);
      assert.deepEqual(
        found.map(({ peer }) => peer),
        ["p3", "p2"],
      );
    });

    test("prune: forgets what was last seen before, and says how many", async () => {
      await opened.storage.errors.saveAll([1, 2, 3].map((n) => group({ peer: `p${n}`, lastAtMs: T0 + n })));
      assert.equal(await opened.storage.errors.prune(T0 + 3), 2);
      assert.deepEqual(
        (await opened.storage.errors.load(10)).map(({ peer }) => peer),
        ["p3"],
      );
    });
  });
}
