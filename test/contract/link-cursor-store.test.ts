import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ADAPTERS } from "./adapters.ts";

for (const adapter of ADAPTERS) {
  describe(`link cursor store on ${adapter.name}`, { skip: adapter.missing }, () => {
    test("save, load: the last id of each link of that feed, and nothing of another's", async () => {
      await using opened = await adapter.open();
      const { linkCursors } = opened.storage;
      await linkCursors.save("quotes", "AAPL", "1", 100);
      await linkCursors.save("quotes", "AAPL", "naïve 🂡", 200);
      await linkCursors.save("quotes", "IBM", "7", 300);
      await linkCursors.save("news", "AAPL", "9", 300);
      assert.deepEqual((await linkCursors.feeds()).toSorted(), ["news", "quotes"]);
      assert.deepEqual(
        await linkCursors.load("quotes"),
        new Map([
          ["AAPL", "naïve 🂡"],
          ["IBM", "7"],
        ]),
      );
      await linkCursors.save("quotes", "AAPL", "", 400);
      assert.deepEqual([...(await linkCursors.load("quotes")).keys()], ["IBM"]);
    });

    test("saveAll: keeps, replaces and forgets many links at once", async () => {
      await using opened = await adapter.open();
      const { linkCursors } = opened.storage;
      const ids = new Map(Array.from({ length: 1234 }, (_, n) => [`K${n}`, `${n}`]));
      await linkCursors.saveAll("quotes", ids, 100);
      assert.deepEqual(await linkCursors.load("quotes"), ids);
      await linkCursors.saveAll(
        "quotes",
        new Map([...ids.keys()].map((key, n) => [key, n < 2 ? "new" : ""])),
        200,
      );
      assert.deepEqual(
        await linkCursors.load("quotes"),
        new Map([
          ["K0", "new"],
          ["K1", "new"],
        ]),
      );
      await linkCursors.saveAll("quotes", new Map(), 300);
    });

    test("prune: forgets links that were not saved for long", async () => {
      await using opened = await adapter.open();
      const { linkCursors } = opened.storage;
      await linkCursors.save("quotes", "old", "1", 100);
      await linkCursors.save("quotes", "new", "2", 200);
      assert.equal(await linkCursors.prune(200), 1);
      assert.deepEqual([...(await linkCursors.load("quotes")).keys()], ["new"]);
    });
  });
}
