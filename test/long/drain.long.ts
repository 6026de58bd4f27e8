import { test } from "node:test";
import { drainScene } from "../helpers/drain-scene.ts";

test("drain: of 5,000 clients all are told, none is reset, and the gateway exits with 0 in time", async (t) => {
  const { exitMs, firstMs, lastMs } = await drainScene({ clients: 5000, timeoutMs: 20_000 });
  t.diagnostic(
    `exit after ${Math.round(exitMs)} ms; goodbyes from ${Math.round(firstMs)} to ${Math.round(lastMs)} ms after the signal`,
  );
});
