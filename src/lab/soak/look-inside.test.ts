import assert from "node:assert/strict";
import { test } from "node:test";
import type { Broken } from "./checks.ts";
import { GatewayError } from "./gateway-process.ts";
import { lookInside } from "./look-inside.ts";

const fail = (thrown: Error) => async (): Promise<number> => {
  throw thrown;
};

test("look inside: a gateway that ends during a look is no look, and one that lives and can't be looked at breaks a promise", async () => {
  const broken: Broken[] = [];
  const gateway = { isRunning: true };
  const look = (how: () => Promise<number>) =>
    lookInside(
      () => gateway,
      how,
      (one) => broken.push(one),
    );
  assert.equal(await look(async () => 7), 7);
  const crashes = async () => {
    gateway.isRunning = false;
    return await fail(new GatewayError("the gateway ended, by SIGABRT"))();
  };
  assert.equal(await look(crashes), null);
  assert.equal(await look(async () => 8), null);
  assert.deepEqual(broken, []);
  gateway.isRunning = true;
  assert.equal(await look(fail(new GatewayError("the gateway did not answer within 60000 ms"))), null);
  assert.deepEqual(broken, [
    { promise: "process", detail: "it could not be looked at: the gateway did not answer within 60000 ms" },
  ]);
});

test("look inside: what is thrown by the soak itself is thrown", async () => {
  const current = () => ({ isRunning: true });
  const broken = () => assert.fail("no promise of the gateway's was broken");
  await assert.rejects(lookInside(current, fail(new TypeError("a bug")), broken), TypeError);
});
