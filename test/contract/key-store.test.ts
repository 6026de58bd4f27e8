import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SigningKeyRecord } from "#auth/ports.ts";
import { ADAPTERS } from "./adapters.ts";

const key = (kid: string): SigningKeyRecord => ({
  kid,
  algorithm: "EdDSA",
  privateJwk: `{"kid":"${kid}"}`,
  createdMs: 1_767_225_600_000,
});

for (const adapter of ADAPTERS) {
  describe(`key store on ${adapter.name}`, { skip: adapter.missing }, () => {
    test("addFirst: of several gateways that start at once, all end with the same one key", async () => {
      await using opened = await adapter.open();
      const again = await opened.openAgain();
      assert.deepEqual(await opened.storage.keys.list(), []);
      await Promise.all([opened.storage.keys.addFirst(key("one")), again.keys.addFirst(key("two"))]);
      const kept = await opened.storage.keys.list();
      assert.equal(kept.length, 1);
      assert.deepEqual(await again.keys.list(), kept);
      assert.deepEqual(kept[0], key(kept[0]?.kid ?? ""));
    });
  });
}
