import { test } from "node:test";
import { drainScene } from "../helpers/drain-scene.ts";

test("drain: of 500 clients all are told, none is reset, and the gateway exits with 0 in time", async () => {
  await drainScene({ clients: 500, timeoutMs: 3000 });
});
